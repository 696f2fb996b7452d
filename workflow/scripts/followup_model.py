from contigwas.followup import write_followup
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_followup(
        snakemake.input.loci,
        dict(zip(map(str, settings["chromosomes"]), snakemake.input.gwas, strict=True)),
        settings["genotypes"] or settings["array"],
        snakemake.input.phenotypes,
        snakemake.input.covariates,
        settings,
        snakemake.output.followup,
        offsets=next(iter(snakemake.input.offsets), None),
    )
