from contigwas.downstream.segmentation.run import segment
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    segment(
        snakemake.wildcards.task,
        {name: read[name] for name in ("samples", "images", "masks")},
        read.checkpoints,
        next(iter(read.genes), None),
        next(iter(read.pcs), None),
        settings,
        int(snakemake.wildcards.seed),
        snakemake.output.scores,
        snakemake.output.examples,
    )
