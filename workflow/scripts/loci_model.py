from contigwas.loci import write_loci
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_loci(
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        settings["genotypes"] or settings["array"],
        snakemake.input.cohort,
        settings,
        snakemake.output.loci,
    )
