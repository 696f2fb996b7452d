from contigwas.runtime.job import job
from contigwas.simulate.lesions import simulate_lesions

settings = snakemake.params.settings
with job(snakemake.log[0]):
    simulate_lesions(
        snakemake.input.programmes,
        settings["simulate"]["folder"],
        settings["simulate"],
        settings["seed"],
    )
