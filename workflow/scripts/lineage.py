from contigwas.lineage import write_lineage
from contigwas.logs import job

with job(snakemake.log[0]):
    write_lineage(snakemake.input.origins, snakemake.params.made_with, snakemake.output.lineage)
