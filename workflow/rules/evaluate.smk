# Comparison of all models: on common samples, with simulated traits (ground truth), and in downstream tasks.

# Common samples are compared only if there are two models.
COMMON = MODELS if config["evaluate"]["common_samples"] and len(MODELS) > 1 else []
EVALUATION = "results/evaluation"
# the training history of every fold, model by model
HISTORIES = [
    path
    for model in TRAINED
    for path in expand(rules.pretrain_fold.output.history, model=model, fold=folds(model))
]


rule evaluate_samples:
    input:
        unpack(gwas_genotypes),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=sorted(MODELS)),
        covariates=expand("results/models/{model}/covariates.parquet", model=sorted(MODELS)),
    output:
        samples="results/private/evaluation/common_samples.parquet",
        counts=f"{EVALUATION}/common_samples/samples.tsv",
    log:
        "results/logs/evaluate_samples/evaluate_samples.log",
    benchmark:
        "results/benchmarks/evaluate_samples/evaluate_samples.tsv"
    resources:
        mem_mb=grows(2000, phenotypes=10),
        runtime=grows(20),
    params:
        code=code_of("evaluate_samples"),
        models=sorted(MODELS),  # the order of models does not change the common samples
        chrom=CHROMOSOMES[0],
    script:
        "../scripts/evaluate_samples.py"


rule evaluate_gwas:
    input:
        unpack(gwas_genotypes),
        variants=checked_variants,
        offsets=loco_predictions,
        samples=rules.evaluate_samples.output.samples,
        counts=rules.evaluate_samples.output.counts,
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
    output:
        gwas=ensure(
            f"{EVALUATION}/common_samples/{{model}}/gwas/chr{{chrom}}.parquet", non_empty=True
        ),
        summary=f"{EVALUATION}/common_samples/{{model}}/gwas/chr{{chrom}}.summary.parquet",
        features=directory(f"{EVALUATION}/common_samples/{{model}}/gwas/chr{{chrom}}.features"),
    log:
        "results/logs/evaluate_gwas/{model}.chr{chrom}.log",
    benchmark:
        "results/benchmarks/evaluate_gwas/{model}.chr{chrom}.tsv"
    wildcard_constraints:
        model=one_of(COMMON),
    threads: 4
    resources:
        mem_mb=grows(4000, phenotypes=25, covariates=25),
        runtime=grows(60, genotypes=0.02),
        gpu=0,
    params:
        code=code_of("evaluate_gwas"),
        settings=config_subset("gwas", "genotypes.build", "loci.test"),
    script:
        "../scripts/evaluate_gwas.py"


rule evaluate_loci:
    input:
        unpack(gwas_genotypes),
        gwas=expand(rules.evaluate_gwas.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        counts=rules.evaluate_samples.output.counts,
        own=rules.loci_model.output.loci,
        cohort=rules.samples.output.cohort,
        genes=optional(config["loci"]["genes"]),
    output:
        loci=f"{EVALUATION}/common_samples/{{model}}/loci.tsv",
    log:
        "results/logs/evaluate_loci/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_loci/{model}.tsv"
    wildcard_constraints:
        model=one_of(COMMON),
    resources:
        mem_mb=grows(4000, cohort=100),
        runtime=grows(120),
    params:
        code=code_of("evaluate_loci"),
        settings=rules.loci_model.params.settings,
    script:
        "../scripts/evaluate_loci.py"


rule evaluate_attributions:
    input:
        unpack(gwas_genotypes),
        explanations=expand("results/models/{model}/explanations/features.parquet", model=EXPLAINED),
        snps=["results/modalities/snps.h5ad"] if EXPLAINED and "snps" in config else [],
        truth=optional(config["evaluate"]["truth"]),
    output:
        attributions=f"{EVALUATION}/attributions.tsv",
    log:
        "results/logs/evaluate_attributions/evaluate_attributions.log",
    benchmark:
        "results/benchmarks/evaluate_attributions/evaluate_attributions.tsv"
    resources:
        mem_mb=grows(4000, explanations=20, snps=1),
        runtime=grows(60),
    params:
        code=code_of("evaluate_attributions"),
        settings=config_subset("evaluate.r2", "chromosomes", "seed"),
        models=EXPLAINED,
    script:
        "../scripts/evaluate_attributions.py"


# Times differ between runs, so they are written to a file that no other rule depends on.
rule evaluate_cost:
    input:
        histories=HISTORIES,
    output:
        cost=f"{EVALUATION}/cost.tsv",
    log:
        "results/logs/evaluate_cost/evaluate_cost.log",
    benchmark:
        "results/benchmarks/evaluate_cost/evaluate_cost.tsv"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code_of("evaluate_cost"),
        # These are no inputs: if one were missing, training would run again.
        benchmarks={
            model: expand(
                "results/benchmarks/pretrain_fold/{model}.fold{fold}.tsv",
                model=model,
                fold=folds(model),
            )
            for model in sorted(TRAINED)
        },
    script:
        "../scripts/evaluate_cost.py"


rule evaluate:
    input:
        unpack(gwas_genotypes),
        loci=expand(rules.loci_model.output.loci, model=MODELS),
        summaries=expand(rules.gwas_chromosome.output.summary, model=MODELS, chrom=CHROMOSOMES),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=MODELS),
        covariates=expand("results/models/{model}/covariates.parquet", model=MODELS),
        embeddings=expand("results/models/{model}/embeddings.h5ad", model=WITH_EMBEDDINGS),
        histories=HISTORIES,
        counts=[rules.evaluate_samples.output.counts] if COMMON else [],
        samples=[rules.evaluate_samples.output.samples] if COMMON else [],
        common_sample_loci=expand(rules.evaluate_loci.output.loci, model=COMMON),
        common_sample_summaries=expand(
            rules.evaluate_gwas.output.summary, model=COMMON, chrom=CHROMOSOMES
        ),
        scores=[f"results/models/{model}/downstream/{task}.tsv" for model, task in DOWNSTREAM],
        attributions=rules.evaluate_attributions.output.attributions,
        # written with the other tables, but not read
        cost=ancient(rules.evaluate_cost.output.cost),
        truth=optional(config["evaluate"]["truth"]),
        latents=optional(config["evaluate"]["latents"]),
        cohort=rules.samples.output.cohort,
    output:
        models=f"{EVALUATION}/models.tsv",
        planted=f"{EVALUATION}/planted.tsv",
        probes=f"{EVALUATION}/probes.tsv",
        loci_shared=f"{EVALUATION}/loci_shared.tsv",
        calibration=f"{EVALUATION}/calibration.tsv",
        heritability=f"{EVALUATION}/heritability.tsv",
        retrieval=f"{EVALUATION}/retrieval.tsv",
        downstream=f"{EVALUATION}/downstream.tsv",
        png=report(
            f"{EVALUATION}/models.png",
            caption="../report/evaluation.rst",
            category="Evaluation",
        ),
        pdf=f"{EVALUATION}/models.pdf",
    log:
        "results/logs/evaluate/evaluate.log",
    benchmark:
        "results/benchmarks/evaluate/evaluate.tsv"
    resources:
        # The lead variants of one model, in float32. Their number is not known beforehand.
        mem_mb=grows(4000, embeddings=4, phenotypes=25, covariates=25, genotypes=0.02),
        runtime=grows(60, phenotypes=0.1, genotypes=0.01),
    params:
        code=code_of("evaluate"),
        settings=config_subset(
            "evaluate",
            "chromosomes",
            "genotypes.build",
            "loci.kb",
            "loci.test",
            "seed",
            "math_threads",
        ),
        models=MODELS,
        chrom=CHROMOSOMES[0],
        embedded=WITH_EMBEDDINGS,
        trained=[[model, len(folds(model))] for model in TRAINED],
        common=COMMON,
        tasks=[[model, task, config["downstream"][task]["task"]] for model, task in DOWNSTREAM],
    script:
        "../scripts/evaluate.py"
