from contigwas.runtime.job import job
from contigwas.samples.selection import write_cohort

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_cohort(
        snakemake.input.candidates,
        snakemake.input.people,
        snakemake.input.kinship,
        settings,
        settings["seed"],
        snakemake.output.cohort,
        ancestry=snakemake.params.ancestry,
        pcs=snakemake.input.get("pcs"),
    )
