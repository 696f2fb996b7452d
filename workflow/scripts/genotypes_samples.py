from contigwas.genotypes.samples import samples_qc
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    x = snakemake.input.x[0] if snakemake.input.x else None
    samples_qc(snakemake.input.missing, settings["genotypes"]["qc"], snakemake.output.samples, x)
