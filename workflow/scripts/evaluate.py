from contigwas.evaluate.models import EvaluationInputs, evaluate, models_of
from contigwas.genotypes.files import files_by_chromosome
from contigwas.runtime.job import job

read, params, settings = snakemake.input, snakemake.params, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    evaluate(
        models_of(dict(read.items()), params.models, params.embedded, params.trained, params.common),
        EvaluationInputs(
            genotype_files=files_by_chromosome(read.genotypes, settings["chromosomes"]),
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
        {
            **settings["evaluate"],
            **{"test": settings["loci"]["test"], "loci_kb": settings["loci"]["kb"]},
            **{"build": settings["genotypes"]["build"], "seed": settings["seed"]},
        },
        dict(snakemake.output.items()),
    )
