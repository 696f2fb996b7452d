# Phenotypes from features: principal components, residuals on the covariates, inverse-normal transform.


rule phenotypes_embedded:
    input:
        unpack(design_files),
        embeddings="results/models/{model}/embeddings.h5ad",
        reference=reference_embeddings,
        frozen=frozen_components,
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
        model=one_of(WITH_EMBEDDINGS),
    resources:
        mem_mb=grows(4000, reference=12),
        runtime=grows(60),
    params:
        code=code_of("phenotypes_embedded"),
        settings=config_subset(
            "phenotypes", "gwas.covariates", "gwas.image_covariates", "math_threads"
        ),
    script:
        "../scripts/phenotypes_embedded.py"


rule phenotypes_external:
    input:
        unpack(design_files),
        table=lambda wildcards: config["models"][wildcards.model]["phenotypes"],
        cohort=rules.samples.output.cohort,
    output:
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
    log:
        "results/logs/phenotypes_external/{model}.log",
    benchmark:
        "results/benchmarks/phenotypes_external/{model}.tsv"
    wildcard_constraints:
        model=one_of(EXTERNAL_PHENOTYPES),
    resources:
        mem_mb=grows(2000, table=20),
        runtime=grows(60),
    params:
        code=code_of("phenotypes_external"),
        settings=config_subset("model", "gwas.covariates", "gwas.image_covariates", "math_threads"),
    script:
        "../scripts/phenotypes_external.py"


rule phenotypes:
    input:
        expand(rules.phenotypes_embedded.output.phenotypes, model=MODELS),
    localrule: True
