from contigwas.downstream.segmentation.labelled_images import write_labelled
from contigwas.runtime.job import job

with job(snakemake.log[0], snakemake.threads):
    write_labelled(
        snakemake.wildcards.task,
        {**snakemake.params.settings, "table": snakemake.input.table},
        next(iter(snakemake.input.cohort), None),
        snakemake.output.samples,
        snakemake.output.images,
        snakemake.output.masks,
        snakemake.output.left_out,
        next(iter(snakemake.input.withdrawn), None),
    )
