from contigwas.genotypes.qc import people_qc
from contigwas.logs import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    people_qc(snakemake.input.missing, settings, snakemake.output.people)
