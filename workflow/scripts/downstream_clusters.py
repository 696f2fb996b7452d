from contigwas.downstream.clusters.task import cluster
from contigwas.runtime.job import job

read, made, settings = snakemake.input, snakemake.output, snakemake.params.settings
labels = {**settings["labels"], "table": read.labels[0]} if settings["labels"] else None
with job(snakemake.log[0], settings["math_threads"]):
    cluster(
        read.embeddings,
        read.cohort,
        {**settings, "labels": labels},
        snakemake.wildcards.task,
        made.json,
        made.tsv,
        [made.png, made.pdf],
        made.samples,
    )
