from contigwas.evaluate.common_samples import write_equal_loci
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_equal_loci(
        snakemake.wildcards.model,
        read.counts,
        read.own,
        snakemake.output.loci,
        gwas=dict(zip(map(str, settings["chromosomes"]), read.gwas, strict=True)),
        pattern=settings["genotypes"] or settings["array"],
        cohort=read.cohort,
        settings=settings,
    )
