from contigwas.runtime.job import job
from contigwas.runtime.training_inputs import write_digest

with job(snakemake.log[0]):
    write_digest(snakemake.input.external_inputs, snakemake.params.producing_rules, snakemake.output.digest)
