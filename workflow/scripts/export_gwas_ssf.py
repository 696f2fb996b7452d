from contigwas.export.gwas_ssf import write_gwas_ssf
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_gwas_ssf(
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        snakemake.wildcards.model,
        settings,
        snakemake.output.folder,
        snakemake.threads,
    )
