from contigwas.genotypes.people import people_qc
from contigwas.logs import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    x = snakemake.input.x[0] if snakemake.input.x else None
    people_qc(snakemake.input.missing, settings, snakemake.output.people, x)
