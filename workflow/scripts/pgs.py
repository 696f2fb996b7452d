from contigwas.genotypes.files import files_by_chromosome
from contigwas.pgs import write_pgs
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    write_pgs(
        snakemake.input.scores,
        files_by_chromosome(snakemake.input.genotypes, settings["autosomes"]),
        dict(zip(settings["autosomes"], snakemake.input.variants, strict=True)),
        snakemake.input.cohort,
        settings["pgs"],
        settings["genotypes"]["build"],
        snakemake.output.pgs,
        snakemake.output.matching,
        threads=settings["math_threads"],
    )
