from contigwas.apply.average import average
from contigwas.runtime.job import job

with job(snakemake.log[0], snakemake.params.settings["math_threads"]):
    average(
        snakemake.input.embeddings,
        snakemake.input.alignment,
        snakemake.output.embeddings,
        snakemake.output.alignment,
    )
