from contigwas.runtime.job import job
from contigwas.simulate.images import simulate_images

settings = snakemake.params.settings
with job(snakemake.log[0]):
    simulate_images(
        snakemake.input.latents,
        settings["simulate"]["folder"],
        settings["simulate"],
        settings["seed"],
    )
