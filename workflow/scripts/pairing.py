from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job
from contigwas.simulate.pairing import pair

settings = snakemake.params.settings
with job(snakemake.log[0]):
    pair(
        files_by_chromosome(snakemake.input.genotypes, settings["autosomes"]),
        settings["pairing"]["photographs"],
        settings["pairing"]["folder"],
        settings["pairing"].get("planted"),
        settings["autosomes"],
        settings["seed"],
    )
