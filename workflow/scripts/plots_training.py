from contigwas.plots.training import training_curves
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    training_curves(
        {f"fold {fold}": path for fold, path in enumerate(snakemake.input.histories)},
        [snakemake.output.png, snakemake.output.pdf],
        title=snakemake.wildcards.model,
    )
