from contigwas.components.images import quantiles
from contigwas.runtime.job import job

read = snakemake.input
with job(snakemake.log[0]):
    quantiles(
        read.phenotypes,
        next(iter(read.pca), None),
        read.images,
        read.table,
        [snakemake.output.png],
        title=snakemake.wildcards.model,
    )
