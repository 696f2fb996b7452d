from contigwas.downstream.labels.summary import summarise
from contigwas.runtime.job import job

read, made = snakemake.input, snakemake.output
with job(snakemake.log[0]):
    summarise(
        snakemake.wildcards.model,
        snakemake.wildcards.task,
        read.samples,
        read.target,
        read.predictions,
        read.skipped,
        snakemake.params.settings,
        made.json,
        made.tsv,
        made.samples,
        [made.png, made.pdf],
    )
