from contigwas.export.plink2 import write_plink2
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_plink2(
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        settings,
        snakemake.output.folder,
        snakemake.threads,
    )
