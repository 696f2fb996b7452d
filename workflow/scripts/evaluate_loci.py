from contigwas.evaluate.common_samples import write_common_samples_loci
from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_common_samples_loci(
        snakemake.wildcards.model,
        read.counts,
        read.own,
        snakemake.output.loci,
        gwas=dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        genotype_files=files_by_chromosome(read.genotypes, settings["chromosomes"]),
        cohort=read.cohort,
        settings={
            **settings["loci"],
            "genes": next(iter(read.genes), None),
            "build": settings["genotypes"]["build"],
        },
    )
