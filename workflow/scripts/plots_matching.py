from contigwas.plots.matching import plot_matching
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    plot_matching(
        snakemake.input.matching,
        settings["pgs"]["min_overlap"],
        [snakemake.output.png, snakemake.output.pdf],
    )
