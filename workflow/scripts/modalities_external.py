from contigwas.modalities.external import write_external
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_external(
        snakemake.wildcards.modality,
        snakemake.input.table,
        snakemake.input.cohort,
        snakemake.output.modality,
    )
