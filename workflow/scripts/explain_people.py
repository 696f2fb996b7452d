from contigwas.explain.explain import Files
from contigwas.explain.single_samples import explain_people
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    explain_people(
        read.checkpoints,
        Files(
            read.images,
            read.table,
            read.cohort,
            dict(zip(snakemake.params.names, read.modalities, strict=True)),
            next(iter(read.pcs), None),
        ),
        settings | {"private": snakemake.params.private},
        snakemake.output.features,
        snakemake.output.pages,
    )
