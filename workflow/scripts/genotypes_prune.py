from contigwas.genotypes.pcs import prune
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    prune(
        settings["array"],
        snakemake.wildcards.chrom,
        snakemake.input.variants,
        snakemake.input.people,
        settings,
        snakemake.output.pruned,
    )
