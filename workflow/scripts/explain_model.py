from contigwas.explain.explain import Files, explain
from contigwas.runtime.job import job

read, made, settings = snakemake.input, snakemake.output, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    explain(
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
        },
        made.features,
        made.modalities,
        made.completeness,
    )
