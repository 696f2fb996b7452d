from contigwas.plots.manhattan import manhattan
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    manhattan(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        snakemake.input.loci,
        settings["loci"],
        [snakemake.output.png, snakemake.output.pdf],
        title=snakemake.wildcards.model,
        truth=next(iter(snakemake.input.truth), None),
    )
