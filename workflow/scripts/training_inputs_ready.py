from contigwas.runtime.job import job
from contigwas.runtime.training_inputs import write_ready

with job(snakemake.log[0]):
    write_ready(snakemake.input.part_files, snakemake.output.ready)
