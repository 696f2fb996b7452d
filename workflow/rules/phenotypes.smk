# Features into phenotypes: principal components, residuals on the covariates, inverse-normal ranks.


def design(wildcards) -> dict[str, str]:
    """The files that hold what gwas.covariates may name: the covariates' table and the genetic PCs."""
    files = {"pcs": rules.genotypes_pcs.output.pcs}
    if config["samples"]["covariates"] is not None:
        files["covariates"] = given(config["samples"]["covariates"], "samples.covariates")
    return files


def reference(wildcards) -> list[str]:
    """The features of fold 0, on whose training people the components are fitted; none where features are brought."""
    if wildcards.model in EMBEDDED:
        return []
    return expand(rules.embed_fold.output.embeddings, model=wildcards.model, fold=0)


rule phenotypes_embedded:
    input:
        unpack(design),
        embeddings=MODEL + "/embeddings.h5ad",
        reference=reference,
        cohort=rules.samples.output.cohort,
        code=library("phenotypes"),
    output:
        phenotypes=MODEL + "/phenotypes.parquet",
        covariates=MODEL + "/covariates.parquet",
        pca=MODEL + "/pca.h5ad",
    log:
        "results/logs/phenotypes_embedded/{model}.log",
    benchmark:
        "results/benchmarks/phenotypes_embedded/{model}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED]),
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=stage("phenotypes", "gwas.covariates", "math_threads"),
    script:
        "../scripts/phenotypes_embedded.py"


rule phenotypes_brought:
    input:
        unpack(design),
        table=lambda wildcards: given(
            config["models"][wildcards.model]["phenotypes"],
            f"models.{wildcards.model}.phenotypes",
        ),
        cohort=rules.samples.output.cohort,
        code=library("phenotypes"),
    output:
        phenotypes=MODEL + "/phenotypes.parquet",
        covariates=MODEL + "/covariates.parquet",
    log:
        "results/logs/phenotypes_brought/{model}.log",
    benchmark:
        "results/benchmarks/phenotypes_brought/{model}.tsv"
    wildcard_constraints:
        model=one_of(BROUGHT),
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=stage("model", "gwas.covariates", "math_threads"),
    script:
        "../scripts/phenotypes_brought.py"


rule phenotypes:
    input:
        expand(rules.phenotypes_embedded.output.phenotypes, model=MODELS),
    localrule: True
