from contigwas.plots.genotypes import plot_genotypes
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    plot_genotypes(
        read.variants,
        read.samples,
        read.pcs,
        read.kinship,
        read.cohort,
        {**settings["genotypes"]["qc"], **settings["samples"]},
        snakemake.output,
    )
