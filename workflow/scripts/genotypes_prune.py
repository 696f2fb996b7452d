from contigwas.genotypes.pcs import prune
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    prune(
        snakemake.input.genotypes[0],
        snakemake.wildcards.chrom,
        snakemake.input.variants,
        snakemake.input.samples,
        {**settings["genotypes"]["prune"], "build": settings["genotypes"]["build"]},
        snakemake.output.pruned,
    )
