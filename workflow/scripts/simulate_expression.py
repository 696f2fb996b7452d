from contigwas.runtime.job import job
from contigwas.simulate.expression import simulate_expression

settings = snakemake.params.settings
with job(snakemake.log[0]):
    simulate_expression(
        snakemake.input.latents,
        settings["simulate"]["folder"],
        settings["simulate"],
        settings["seed"],
    )
