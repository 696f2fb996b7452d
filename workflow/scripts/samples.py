from contigwas.runtime.job import job
from contigwas.samples.selection import write_cohort

read, settings, ancestry = snakemake.input, snakemake.params.settings, snakemake.params.ancestry
if ancestry is not None:
    ancestry = {**ancestry, **{key: path for key, path in read.items() if key in ("table", "reference")}}
with job(snakemake.log[0]):
    write_cohort(
        read.candidates,
        read.samples,
        read.kinship,
        settings["samples"],
        settings["seed"],
        snakemake.output.cohort,
        ancestry=ancestry,
        pcs=read.get("pcs"),
    )
