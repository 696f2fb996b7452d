from contigwas.images.store import write_images
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_images(
        snakemake.input.table,
        snakemake.input.cohort,
        snakemake.params.settings["images"],
        snakemake.output.images,
        snakemake.output.table,
        snakemake.params.private,
    )
