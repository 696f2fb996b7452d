from contigwas.burden import write_burden
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_burden(
        settings["genotypes"],
        settings["autosomes"],
        snakemake.input.annotations,
        settings["sets"],
        snakemake.input.cohort,
        settings,
        snakemake.output.burden,
    )
