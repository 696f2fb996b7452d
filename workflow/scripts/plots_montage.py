from contigwas.plots.montage import montage
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    montage(snakemake.input.images, snakemake.input.table, [snakemake.output.png], seed=settings["seed"])
