from contigwas.components.images import neighbours
from contigwas.runtime.job import job

read = snakemake.input
with job(snakemake.log[0]):
    neighbours(
        read.embeddings,
        read.images,
        read.table,
        [snakemake.output.png],
        title=snakemake.wildcards.model,
        seed=snakemake.params.settings["seed"],
    )
