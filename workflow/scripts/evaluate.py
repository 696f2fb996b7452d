from contigwas.evaluate.models import Model, Study, evaluate
from contigwas.logs import job

read, params, settings = snakemake.input, snakemake.params, snakemake.params.settings
chromosomes, histories = len(read.summaries) // len(params.models), iter(read.histories)
of_model = {
    "loci": dict(zip(params.models, read.loci, strict=True)),
    "phenotypes": dict(zip(params.models, read.phenotypes, strict=True)),
    "covariates": dict(zip(params.models, read.covariates, strict=True)),
    "embeddings": dict(zip(params.embedded, read.embeddings, strict=True)),
    "histories": {model: [next(histories) for _ in range(count)] for model, count in params.trained},
    "equal_loci": dict(zip(params.equal, read.equal, strict=True)),
    **{
        kind: {model: paths[place * chromosomes : (place + 1) * chromosomes] for place, model in enumerate(models)}
        for kind, paths, models in (
            ("summaries", read.summaries, params.models),
            ("equal_summaries", read.equal_summaries, params.equal),
        )
    },
}
with job(snakemake.log[0], settings["math_threads"]):
    evaluate(
        {
            model: Model(**{kind: paths[model] for kind, paths in of_model.items() if model in paths})
            for model in params.models
        },
        Study(
            pattern=settings["genotypes"] or settings["array"],
            chrom=params.chrom,
            truth=next(iter(read.truth), None),
            latents=next(iter(read.latents), None),
            cohort=read.cohort,
            counts=next(iter(read.counts), None),
            people=next(iter(read.people), None),
            tasks=params.tasks,
            scores=read.scores,
            attributions=read.attributions,
        ),
        settings,
        dict(snakemake.output.items()),
    )
