from contigwas.plots.interactive_points import write_points
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_points(
        gwas=dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        summaries=read.summaries,
        settings={**settings["loci"], "features": settings["report"]["features"]},
        output=snakemake.output.points,
    )
