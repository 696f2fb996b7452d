from contigwas.export.phenotypes import write_phenotypes
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_phenotypes(
        snakemake.input.phenotypes,
        snakemake.input.cohort,
        snakemake.params.settings["export"]["features"],
        snakemake.output.table,
    )
