from contigwas.plots.decoded import reconstructions, walks
from contigwas.runtime.job import job

read, made, settings = snakemake.input, snakemake.output, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    reconstructions(
        read.checkpoint[0],
        read.images,
        read.table,
        read.cohort,
        [made.samples],
        seed=settings["seed"],
        which=settings["embed"]["checkpoint"],
    )
    walks(
        read.checkpoint[0],
        read.pca,
        [made.png, made.pdf],
        title=snakemake.wildcards.model,
        seed=settings["seed"],
        variational=settings["model"].get("variational", False),
        which=settings["embed"]["checkpoint"],
    )
