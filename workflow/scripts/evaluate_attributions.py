from contigwas.evaluate.attributions import write_attributions
from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_attributions(
        dict(zip(snakemake.params.models, read.explanations, strict=True)),
        next(iter(read.truth), None),
        next(iter(read.snps), None),
        files_by_chromosome(read.genotypes, settings["chromosomes"]),
        {"r2": settings["evaluate"]["r2"], "seed": settings["seed"]},
        snakemake.output.attributions,
    )
