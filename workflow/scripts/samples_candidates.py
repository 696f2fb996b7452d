from contigwas.runtime.job import job
from contigwas.samples.candidates import write_candidates

with job(snakemake.log[0]):
    write_candidates(
        genotypes=snakemake.input.genotypes,
        images_table=snakemake.input.get("images"),
        exome=snakemake.input.get("exome", []),
        keep=snakemake.input.get("keep"),
        withdrawn=snakemake.input.get("withdrawn"),
        output=snakemake.output.candidates,
    )
