from contigwas.apply.embed_fold import embed_fold
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    embed_fold(
        snakemake.input.checkpoint,
        snakemake.input.alignment,
        snakemake.input.pca,
        snakemake.input.images,
        snakemake.input.table,
        snakemake.input.cohort,
        {**settings["embed"], "math_threads": settings["math_threads"]},
        snakemake.output.embeddings,
    )
