from contigwas.genotypes.files import files_by_chromosome
from contigwas.loci import write_loci
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_loci(
        dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        files_by_chromosome(read.genotypes, settings["chromosomes"]),
        read.cohort,
        {
            **settings["loci"],
            "genes": next(iter(read.genes), None),
            "build": settings["genotypes"]["build"],
        },
        snakemake.output.loci,
    )
