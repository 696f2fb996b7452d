from contigwas.evaluate.cost import write_cost
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_cost(snakemake.params.benchmarks, snakemake.output.cost)
