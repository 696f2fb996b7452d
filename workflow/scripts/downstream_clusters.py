from contigwas.downstream.clusters.task import cluster
from contigwas.runtime.job import job

made, settings = snakemake.output, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    cluster(
        snakemake.input.embeddings,
        snakemake.input.cohort,
        settings,
        snakemake.wildcards.task,
        made.json,
        made.tsv,
        [made.png, made.pdf],
        made.people,
    )
