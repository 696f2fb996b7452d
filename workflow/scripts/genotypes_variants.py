from contigwas.genotypes.qc import variant_qc
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    variant_qc(
        settings["array"],
        snakemake.wildcards.chrom,
        snakemake.input.candidates,
        settings,
        settings["build"],
        snakemake.output.variants,
        snakemake.output.missing,
    )
