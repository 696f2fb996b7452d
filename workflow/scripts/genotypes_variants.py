from contigwas.genotypes.qc import variant_qc
from contigwas.runtime.job import job

settings = snakemake.params.settings["genotypes"]
with job(snakemake.log[0]):
    variant_qc(
        snakemake.input.genotypes[0],
        snakemake.wildcards.chrom,
        snakemake.input.candidates,
        settings["qc"],
        settings["build"],
        snakemake.output.variants,
        snakemake.output.missing,
    )
