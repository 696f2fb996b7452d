from contigwas.explain.genome import genome
from contigwas.explain.top import top
from contigwas.runtime.job import job

read, made, settings = snakemake.input, snakemake.output, snakemake.params.settings
with job(snakemake.log[0]):
    genome(
        read.features,
        dict(zip(settings["chromosomes"], read.gwas, strict=True)),
        read.loci,
        settings["loci"],
        [made.genome, made.genome_pdf],
        title=snakemake.wildcards.model,
        ground_truth=next(iter(read.truth), None),
    )
    top(read.features, read.modalities, [made.top, made.top_pdf], title=snakemake.wildcards.model)
