from contigwas.export.plink2 import write_plink2
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_plink2(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        settings["export"],
        snakemake.output.folder,
        snakemake.threads,
    )
