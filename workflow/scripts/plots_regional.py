from contigwas.plots.regional import regional
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    regional(
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        snakemake.input.loci,
        settings["genotypes"] or settings["array"],
        snakemake.input.cohort,
        settings,
        snakemake.output.folder,
        title=snakemake.wildcards.model,
    )
