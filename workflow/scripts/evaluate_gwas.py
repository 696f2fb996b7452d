from contigwas.evaluate.common_samples import write_common_samples_gwas
from contigwas.gwas.gwas import device
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], snakemake.threads):
    write_common_samples_gwas(
        snakemake.wildcards.model,
        read.counts,
        read.samples,
        read.phenotypes,
        {**settings["gwas"], "build": settings["genotypes"]["build"], "test": settings["loci"]["test"]},
        snakemake.output.gwas,
        snakemake.output.summary,
        genotype_files=read.genotypes[0],
        chrom=snakemake.wildcards.chrom,
        variants=next(iter(read.variants), None),
        covariates=read.covariates,
        offsets=next(iter(read.offsets), None),
        threads=snakemake.threads,
        device=device(snakemake.resources.gpu),
    )
