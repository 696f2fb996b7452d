from contigwas.runtime.job import job
from contigwas.runtime.training_inputs import write_lineage

with job(snakemake.log[0]):
    write_lineage(snakemake.input.origins, snakemake.params.made_with, snakemake.output.lineage)
