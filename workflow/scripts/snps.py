from contigwas.logs import job
from contigwas.snps import write_snps

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_snps(
        settings["array"],
        dict(zip(settings["autosomes"], snakemake.input.variants, strict=True)),
        snakemake.input.cohort,
        settings["stride"],
        snakemake.output.snps,
    )
