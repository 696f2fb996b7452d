from contigwas.evaluate import evaluate
from contigwas.logs import job

settings = snakemake.params.settings
models = snakemake.params.models
chromosomes = len(snakemake.input.summaries) // len(models)
summaries = [snakemake.input.summaries[i * chromosomes : (i + 1) * chromosomes] for i in range(len(models))]
with job(snakemake.log[0], settings["math_threads"]):
    evaluate(
        loci=dict(zip(models, snakemake.input.loci, strict=True)),
        summaries=dict(zip(models, summaries, strict=True)),
        phenotypes=dict(zip(models, snakemake.input.phenotypes, strict=True)),
        embeddings=dict(zip(snakemake.params.embedded, snakemake.input.embeddings, strict=True)),
        pattern=settings["genotypes"] or settings["array"],
        truth=next(iter(snakemake.input.truth), None),
        latents=next(iter(snakemake.input.latents), None),
        settings=settings,
        output_models=snakemake.output.models,
        output_planted=snakemake.output.planted,
        output_probes=snakemake.output.probes,
        output_figures=[snakemake.output.png, snakemake.output.pdf],
    )
