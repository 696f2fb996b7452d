from contigwas.pgs import write_pgs
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    write_pgs(
        snakemake.input.scores,
        settings["array"],
        dict(zip(settings["autosomes"], snakemake.input.variants, strict=True)),
        snakemake.input.cohort,
        settings,
        settings["build"],
        snakemake.output.pgs,
        snakemake.output.matching,
        threads=settings["math_threads"],
    )
