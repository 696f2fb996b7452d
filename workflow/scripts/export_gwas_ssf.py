from contigwas.export.gwas_ssf import write_gwas_ssf
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_gwas_ssf(
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        snakemake.wildcards.model,
        {
            **settings["export"]["metadata"],
            "features": settings["export"]["features"],
            "build": settings["genotypes"]["build"],
        },
        snakemake.output.folder,
        snakemake.threads,
    )
