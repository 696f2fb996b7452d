from contigwas.images.store import write_images
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_images(
        snakemake.input.table,
        snakemake.input.cohort,
        settings,
        snakemake.output.images,
        snakemake.output.table,
        snakemake.params.private,
    )
