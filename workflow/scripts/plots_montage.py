from contigwas.logs import job
from contigwas.plots.montage import montage

settings = snakemake.params.settings
with job(snakemake.log[0]):
    montage(snakemake.input.images, snakemake.input.table, [snakemake.output.png], seed=settings["seed"])
