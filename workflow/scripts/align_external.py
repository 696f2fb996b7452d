from contigwas.align import external
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    external(
        snakemake.input.embeddings,
        snakemake.input.cohort,
        snakemake.output.embeddings,
        snakemake.output.alignment,
    )
