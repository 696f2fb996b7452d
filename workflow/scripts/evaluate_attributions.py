from contigwas.evaluate.attributions import write_attributions
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0]):
    write_attributions(
        dict(zip(snakemake.params.models, read.explanations, strict=True)),
        next(iter(read.truth), None),
        next(iter(read.snps), None),
        settings["genotypes"] or settings["array"],
        settings,
        snakemake.output.attributions,
    )
