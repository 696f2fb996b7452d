from contigwas.expression import write_expression
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_expression(
        snakemake.input.table,
        snakemake.input.get("genes"),
        snakemake.input.cohort,
        snakemake.params.settings["expression"],
        snakemake.output.expression,
    )
