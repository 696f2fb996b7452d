from contigwas.downstream.labels.table import write_labels
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_labels(
        {**snakemake.params.settings, "table": snakemake.input.table},
        next(iter(snakemake.input.cohort), None),
        snakemake.output.samples,
        snakemake.output.target,
        next(iter(snakemake.input.withdrawn), None),
    )
