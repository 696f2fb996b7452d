from contigwas.plots.overview import overview
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    overview(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        snakemake.input.loci,
        settings["loci"],
        [snakemake.output.png, snakemake.output.pdf],
        title=snakemake.wildcards.model,
    )
