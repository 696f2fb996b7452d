from contigwas.gwas.gwas import device, write_gwas
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], snakemake.threads):
    write_gwas(
        snakemake.input.genotypes[0],
        snakemake.wildcards.chrom,
        next(iter(snakemake.input.variants), None),
        snakemake.input.phenotypes,
        snakemake.input.covariates,
        {**settings["gwas"], "build": settings["genotypes"]["build"]},
        snakemake.output.gwas,
        snakemake.output.summary,
        offsets=next(iter(snakemake.input.offsets), None),
        threads=snakemake.threads,
        device=device(snakemake.resources.gpu),
    )
