# All models side by side: at equal people, against the truth where it is known, and in what follows from them.


rule evaluate_people:
    input:
        unpack(tested),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=sorted(MODELS)),
        covariates=expand("results/models/{model}/covariates.parquet", model=sorted(MODELS)),
    output:
        people="results/private/evaluation/equal_people.parquet",
        counts=f"{EVALUATION}/equal/people.tsv",
    log:
        "results/logs/evaluate_people/evaluate_people.log",
    benchmark:
        "results/benchmarks/evaluate_people/evaluate_people.tsv"
    resources:
        mem_mb=grows(2000, phenotypes=10),
        runtime=grows(20),
    params:
        code=library("evaluate.equal", script="evaluate_people"),
        settings=stage("genotypes.array", "gwas.genotypes"),
        models=sorted(MODELS),  # their order is nothing that changes who is tested
        chrom=CHROMOSOMES[0],
    script:
        "../scripts/evaluate_people.py"


rule evaluate_gwas:
    input:
        unpack(tested),
        variants=qc_table,
        offsets=predictions,
        people=rules.evaluate_people.output.people,
        counts=rules.evaluate_people.output.counts,
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
    output:
        gwas=ensure(f"{EVALUATION}/equal/{{model}}/gwas/chr{{chrom}}.parquet", non_empty=True),
        summary=f"{EVALUATION}/equal/{{model}}/gwas/chr{{chrom}}.summary.parquet",
        features=directory(f"{EVALUATION}/equal/{{model}}/gwas/chr{{chrom}}.features"),
    log:
        "results/logs/evaluate_gwas/{model}.chr{chrom}.log",
    benchmark:
        "results/benchmarks/evaluate_gwas/{model}.chr{chrom}.tsv"
    wildcard_constraints:
        model=one_of(EQUAL),
    threads: 4
    resources:
        mem_mb=grows(4000, phenotypes=25, covariates=25),
        runtime=grows(60, genotypes=0.02),
        gpu=0,
    params:
        code=library("evaluate.equal", script="evaluate_gwas"),
        settings=stage("gwas", "genotypes.array", "genotypes.build", "loci.test"),
    script:
        "../scripts/evaluate_gwas.py"


rule evaluate_loci:
    input:
        unpack(tested),
        gwas=expand(rules.evaluate_gwas.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        counts=rules.evaluate_people.output.counts,
        own=rules.loci_model.output.loci,
        cohort=rules.samples.output.cohort,
        genes=optional(config["loci"]["genes"]),
    output:
        loci=f"{EVALUATION}/equal/{{model}}/loci.tsv",
    log:
        "results/logs/evaluate_loci/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_loci/{model}.tsv"
    wildcard_constraints:
        model=one_of(EQUAL),
    resources:
        mem_mb=grows(4000, cohort=100),
        runtime=grows(120),
    params:
        code=library("evaluate.equal", script="evaluate_loci"),
        settings=rules.loci_model.params.settings,
    script:
        "../scripts/evaluate_loci.py"


rule evaluate_attributions:
    input:
        unpack(tested),
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
        code=library("evaluate.attributions", script="evaluate_attributions"),
        settings=stage("evaluate.r2", "genotypes.array", "gwas.genotypes", "seed"),
        models=EXPLAINED,
    script:
        "../scripts/evaluate_attributions.py"


# Times differ from run to run: they stand in a file of their own, which nothing is made of.
rule evaluate_cost:
    input:
        histories=histories,
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
        code=library("evaluate.cost", script="evaluate_cost"),
        # no inputs: where one is gone, training would run again
        benchmarks={
            model: expand(
                "results/benchmarks/pretrain_fold/{model}.fold{fold}.tsv",
                model=model,
                fold=folds(model),
            )
            for model in sorted(RECIPES)
        },
    script:
        "../scripts/evaluate_cost.py"


rule evaluate:
    input:
        unpack(tested),
        loci=expand(rules.loci_model.output.loci, model=MODELS),
        summaries=expand(rules.gwas_chromosome.output.summary, model=MODELS, chrom=CHROMOSOMES),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=MODELS),
        covariates=expand("results/models/{model}/covariates.parquet", model=MODELS),
        embeddings=expand(
            "results/models/{model}/embeddings.h5ad", model=[*RECIPES, *EMBEDDED, *APPLIED]
        ),
        histories=histories,
        counts=[rules.evaluate_people.output.counts] if EQUAL else [],
        people=[rules.evaluate_people.output.people] if EQUAL else [],
        equal_loci=expand(rules.evaluate_loci.output.loci, model=EQUAL),
        equal_summaries=expand(rules.evaluate_gwas.output.summary, model=EQUAL, chrom=CHROMOSOMES),
        scores=[f"results/models/{model}/downstream/{task}.tsv" for model, task in DOWNSTREAM],
        attributions=rules.evaluate_attributions.output.attributions,
        # made with the others, but not read
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
        # the leads of one model, in float32; how many they are is known only when it runs
        mem_mb=grows(4000, embeddings=4, phenotypes=25, covariates=25, genotypes=0.02),
        runtime=grows(60, phenotypes=0.1, genotypes=0.01),
    params:
        code=library("evaluate", script="evaluate"),
        settings=of_evaluate,
        models=MODELS,
        chrom=CHROMOSOMES[0],
        embedded=[*RECIPES, *EMBEDDED, *APPLIED],
        trained=[[model, len(folds(model))] for model in RECIPES],
        equal=EQUAL,
        tasks=[[model, task, config["downstream"][task]["task"]] for model, task in DOWNSTREAM],
    script:
        "../scripts/evaluate.py"
