from contigwas.explain.explain import Files
from contigwas.explain.single_samples import explain_samples
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    explain_samples(
        read.checkpoints,
        Files(
            read.images,
            read.table,
            read.cohort,
            dict(zip(snakemake.params.names, read.modalities, strict=True)),
            next(iter(read.pcs), None),
        ),
        {
            **settings["explain"],
            **snakemake.params.attributions,
            "checkpoint": settings["embed"]["checkpoint"],
            "seed": settings["seed"],
            "math_threads": settings["math_threads"],
            "private": snakemake.params.private,
        },
        snakemake.output.features,
        snakemake.output.pages,
    )
