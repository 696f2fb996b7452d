from contigwas.plots.qq import qq
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    qq(
        snakemake.input.summaries,
        [snakemake.output.png, snakemake.output.pdf],
        title=snakemake.wildcards.model,
        test=settings["loci"]["test"],
    )
