from contigwas.downstream.labels.external_images import write_features
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    write_features(read.images, read.table, read.checkpoint[0], settings, snakemake.output.embeddings)
