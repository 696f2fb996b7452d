from contigwas.gwas.gwas import write_gwas
from contigwas.logs import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_gwas(
        settings["genotypes"] or settings["array"],
        snakemake.wildcards.chrom,
        next(iter(snakemake.input.variants), None),
        snakemake.input.phenotypes,
        snakemake.input.covariates,
        settings,
        snakemake.output.gwas,
        snakemake.output.summary,
    )
