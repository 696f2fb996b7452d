from contigwas.apply.replicate import write_replication
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_replication(
        snakemake.input.loci,
        dict(zip(settings["chromosomes"], snakemake.input.gwas, strict=True)),
        settings["loci"]["test"],
        snakemake.output.replication,
    )
