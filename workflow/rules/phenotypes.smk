# Features into phenotypes: principal components, residuals on the covariates, inverse-normal ranks.


rule phenotypes_embedded:
    input:
        unpack(design),
        embeddings="results/models/{model}/embeddings.h5ad",
        reference=reference,
        frozen=components_applied,
        cohort=rules.samples.output.cohort,
    output:
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
        pca="results/models/{model}/pca.h5ad",
    log:
        "results/logs/phenotypes_embedded/{model}.log",
    benchmark:
        "results/benchmarks/phenotypes_embedded/{model}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED, *APPLIED]),
    resources:
        mem_mb=grows(4000, reference=12),
        runtime=grows(60),
    params:
        code=library("phenotypes", script="phenotypes_embedded"),
        settings=stage("phenotypes", "gwas.covariates", "gwas.image_covariates", "math_threads"),
    script:
        "../scripts/phenotypes_embedded.py"


rule phenotypes_brought:
    input:
        unpack(design),
        table=lambda wildcards: config["models"][wildcards.model]["phenotypes"],
        cohort=rules.samples.output.cohort,
    output:
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
    log:
        "results/logs/phenotypes_brought/{model}.log",
    benchmark:
        "results/benchmarks/phenotypes_brought/{model}.tsv"
    wildcard_constraints:
        model=one_of(BROUGHT),
    resources:
        mem_mb=grows(2000, table=20),
        runtime=grows(60),
    params:
        code=library("phenotypes", script="phenotypes_brought"),
        settings=stage("model", "gwas.covariates", "gwas.image_covariates", "math_threads"),
    script:
        "../scripts/phenotypes_brought.py"


rule phenotypes:
    input:
        expand(rules.phenotypes_embedded.output.phenotypes, model=MODELS),
    localrule: True
