from contigwas.evaluate.common_samples import write_common_samples
from contigwas.runtime.job import job

read, models = snakemake.input, snakemake.params.models
with job(snakemake.log[0]):
    write_common_samples(
        dict(zip(models, read.phenotypes, strict=True)),
        dict(zip(models, read.covariates, strict=True)),
        read.genotypes[0],
        snakemake.params.chrom,
        snakemake.output.samples,
        snakemake.output.counts,
    )
