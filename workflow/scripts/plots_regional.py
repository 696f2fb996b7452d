from contigwas.genotypes.files import files_by_chromosome
from contigwas.plots.regional import regional
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    regional(
        dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        read.loci,
        files_by_chromosome(read.genotypes, settings["chromosomes"]),
        read.cohort,
        {
            **settings["plots"],
            **settings["loci"],
            "genes": next(iter(read.genes), None),
            "build": settings["genotypes"]["build"],
        },
        snakemake.output.folder,
        title=snakemake.wildcards.model,
    )
