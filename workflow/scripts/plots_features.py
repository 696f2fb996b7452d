from contigwas.plots.features import feature_plots
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    feature_plots(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        snakemake.input.summaries,
        snakemake.input.loci,
        {"features": settings["plots"]["features"], "p1": settings["loci"]["p1"]},
        snakemake.output.folder,
        title=snakemake.wildcards.model,
    )
