from contigwas.lineage import write_ready
from contigwas.logs import job

with job(snakemake.log[0]):
    write_ready(snakemake.input.made, snakemake.output.ready)
