from contigwas.evaluate.models import EvaluationInputs, evaluate, models_of
from contigwas.runtime.job import job

read, params, settings = snakemake.input, snakemake.params, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    evaluate(
        models_of(dict(read.items()), params.models, params.embedded, params.trained, params.equal),
        EvaluationInputs(
            pattern=settings["genotypes"] or settings["array"],
            chrom=params.chrom,
            ground_truth=next(iter(read.truth), None),
            latents=next(iter(read.latents), None),
            cohort=read.cohort,
            counts=next(iter(read.counts), None),
            samples=next(iter(read.samples), None),
            tasks=params.tasks,
            scores=read.scores,
            attributions=read.attributions,
        ),
        settings,
        dict(snakemake.output.items()),
    )
