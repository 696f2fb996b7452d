from contigwas.evaluate.common_samples import write_equal_gwas
from contigwas.gwas.gwas import device
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], snakemake.threads):
    write_equal_gwas(
        snakemake.wildcards.model,
        read.counts,
        read.people,
        read.phenotypes,
        settings,
        snakemake.output.gwas,
        snakemake.output.summary,
        pattern=settings["genotypes"] or settings["array"],
        chrom=snakemake.wildcards.chrom,
        variants=next(iter(read.variants), None),
        covariates=read.covariates,
        offsets=next(iter(read.offsets), None),
        threads=snakemake.threads,
        device=device(snakemake.resources.gpu),
    )
