from contigwas.followup import write_followup
from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_followup(
        read.loci,
        dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        files_by_chromosome(read.genotypes, settings["chromosomes"]),
        read.phenotypes,
        read.covariates,
        {
            **settings["followup"],
            "p1": settings["loci"]["p1"],
            "missing": settings["gwas"]["missing"],
            "build": settings["genotypes"]["build"],
        },
        snakemake.output.followup,
        offsets=next(iter(read.offsets), None),
    )
