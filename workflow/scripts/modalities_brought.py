from contigwas.logs import job
from contigwas.modalities import write_brought

with job(snakemake.log[0]):
    write_brought(
        snakemake.wildcards.modality,
        snakemake.input.table,
        snakemake.input.cohort,
        snakemake.output.modality,
    )
