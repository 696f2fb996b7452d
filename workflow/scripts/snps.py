from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job
from contigwas.snps import write_snps

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_snps(
        files_by_chromosome(read.genotypes, settings["autosomes"]),
        dict(zip(settings["autosomes"], read.variants, strict=True)),
        read.cohort,
        {**settings["snps"], "list": next(iter(read.list), None)},
        snakemake.output.snps,
        dict(zip(settings["autosomes"], read.pruned, strict=True)) if settings["snps"]["pruned"] else None,
    )
