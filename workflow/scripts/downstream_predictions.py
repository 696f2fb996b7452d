from contigwas.downstream.labels.summary import summarise
from contigwas.runtime.job import job

read, made = snakemake.input, snakemake.output
with job(snakemake.log[0]):
    summarise(
        snakemake.wildcards.model,
        snakemake.wildcards.task,
        read.people,
        read.target,
        read.predictions,
        read.skipped,
        snakemake.params.settings,
        made.json,
        made.tsv,
        made.people,
        [made.png, made.pdf],
    )
