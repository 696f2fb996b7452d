from contigwas.export.ldsc import write_ldsc
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_ldsc(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        settings["export"],
        snakemake.output.folder,
        snakemake.threads,
    )
