from contigwas.embed import embed
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    embed(
        snakemake.input.checkpoint,
        snakemake.input.images,
        snakemake.input.table,
        snakemake.input.cohort,
        {**settings["embed"], "math_threads": settings["math_threads"]},
        snakemake.output.embeddings,
    )
