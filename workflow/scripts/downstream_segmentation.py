from contigwas.downstream.segmentation.summary import summarise
from contigwas.runtime.job import job

made = snakemake.output
with job(snakemake.log[0]):
    summarise(
        snakemake.wildcards.model,
        snakemake.wildcards.task,
        snakemake.input.scores,
        snakemake.input.examples,
        snakemake.params.settings,
        made.json,
        made.tsv,
        made.samples,
        [made.png, made.pdf],
        [made.overlays],
    )
