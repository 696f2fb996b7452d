from contigwas.evaluate.common_samples import write_equal_people
from contigwas.runtime.job import job

read, models, settings = snakemake.input, snakemake.params.models, snakemake.params.settings
with job(snakemake.log[0]):
    write_equal_people(
        dict(zip(models, read.phenotypes, strict=True)),
        dict(zip(models, read.covariates, strict=True)),
        settings["genotypes"] or settings["array"],
        snakemake.params.chrom,
        snakemake.output.people,
        snakemake.output.counts,
    )
