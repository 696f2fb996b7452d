from contigwas.plots.map import plot_map
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    plot_map(
        read.embeddings,
        read.cohort,
        read.get("covariates"),
        read.get("pcs"),
        {
            **settings["plots"]["map"],
            "covariates": settings["gwas"]["covariates"],
            "seed": settings["seed"],
        },
        [snakemake.output.png, snakemake.output.pdf],
        title=snakemake.wildcards.model,
    )
