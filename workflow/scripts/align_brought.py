from contigwas.align import brought
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    brought(
        snakemake.input.embeddings,
        snakemake.input.cohort,
        snakemake.output.embeddings,
        snakemake.output.alignment,
    )
