from contigwas.plots.features import feature_plots
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    feature_plots(
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        snakemake.input.summaries,
        snakemake.input.loci,
        settings,
        snakemake.output.folder,
        title=snakemake.wildcards.model,
    )
