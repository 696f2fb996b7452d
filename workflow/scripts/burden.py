from contigwas.burden import write_burden
from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_burden(
        files_by_chromosome(read.genotypes, settings["autosomes"]),
        settings["autosomes"],
        read.annotations,
        read.get("sets"),
        read.cohort,
        {**settings["burden"], **{key: path for key, path in read.items() if key in ("aaf", "masks")}},
        snakemake.output.burden,
    )
