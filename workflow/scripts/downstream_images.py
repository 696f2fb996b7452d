from contigwas.downstream.labels.external_images import write_pictures
from contigwas.runtime.job import job

made = snakemake.output
with job(snakemake.log[0], snakemake.threads):
    write_pictures(
        snakemake.input.samples, snakemake.params.settings, made.listed, made.images, made.table, made.left_out
    )
