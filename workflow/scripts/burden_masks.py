from contigwas.export.mask_bed import write_mask_bed
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_mask_bed(snakemake.input.burden, snakemake.input.cohort, snakemake.output.bed)
