# What varies along the components: a map of people in the space of a model's features, and, on request, their images.

# the models with features of people
MAPPED = [*RECIPES, *EMBEDDED, *APPLIED]
# those of whose people there may be images
PICTURED = MODELS if "images" in config else []
SHOWING = "results/private/components"


rule plots_map:
    input:
        unpack(design),
        embeddings="results/models/{model}/embeddings.h5ad",
        cohort=rules.samples.output.cohort,
    output:
        png=report(
            "results/models/{model}/plots/map.png",
            caption="../report/map.rst",
            category="Map",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/map.pdf",
    log:
        "results/logs/plots_map/{model}.log",
    benchmark:
        "results/benchmarks/plots_map/{model}.tsv"
    wildcard_constraints:
        model=one_of(MAPPED),
    resources:
        mem_mb=grows(4000, embeddings=8),
        runtime=grows(60, embeddings=1),
    params:
        code=library("plots.map", script="plots_map"),
        settings=stage("plots.map", "gwas.covariates", "math_threads", "seed"),
    script:
        "../scripts/plots_map.py"


rule components_quantiles:
    input:
        phenotypes="results/models/{model}/phenotypes.parquet",
        pca=lambda wildcards: (
            [f"results/models/{wildcards.model}/pca.h5ad"] if wildcards.model in MAPPED else []
        ),
        images="results/images/images.npy",
        table="results/images/images.parquet",
    output:
        png=f"{SHOWING}/{{model}}/quantiles.png",
    log:
        "results/logs/components_quantiles/{model}.log",
    benchmark:
        "results/benchmarks/components_quantiles/{model}.tsv"
    wildcard_constraints:
        model=one_of(PICTURED),
    resources:
        mem_mb=grows(2000, phenotypes=10),
        runtime=grows(30),
    params:
        code=library("components.images", script="components_quantiles"),
    script:
        "../scripts/components_quantiles.py"


rule components_neighbours:
    input:
        embeddings="results/models/{model}/embeddings.h5ad",
        images="results/images/images.npy",
        table="results/images/images.parquet",
    output:
        png=f"{SHOWING}/{{model}}/neighbours.png",
    log:
        "results/logs/components_neighbours/{model}.log",
    benchmark:
        "results/benchmarks/components_neighbours/{model}.tsv"
    wildcard_constraints:
        model=one_of([model for model in PICTURED if model in MAPPED]),
    resources:
        mem_mb=grows(2000, embeddings=8),
        runtime=grows(30),
    params:
        code=library("components.images", script="components_neighbours"),
        settings=stage("seed"),
    script:
        "../scripts/components_neighbours.py"


# They show people: made when they are asked for.
rule components:
    input:
        lambda wildcards: block("images")
        and [
            *expand(rules.components_quantiles.output.png, model=PICTURED),
            *expand(
                rules.components_neighbours.output.png,
                model=[model for model in PICTURED if model in MAPPED],
            ),
        ],
    localrule: True
