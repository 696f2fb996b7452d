# The map of samples in the features of a model and, on request, the images along its components.

# models whose samples may have images
WITH_IMAGES = MODELS if "images" in config else []
PRIVATE_COMPONENTS = "results/private/components"


rule plots_map:
    input:
        unpack(design_files),
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
        model=one_of(WITH_EMBEDDINGS),
    resources:
        mem_mb=grows(4000, embeddings=8),
        runtime=grows(60, embeddings=1),
    params:
        code=code_of("plots_map"),
        settings=config_subset("plots.map", "gwas.covariates", "math_threads", "seed"),
    script:
        "../scripts/plots_map.py"


rule components_quantiles:
    input:
        phenotypes="results/models/{model}/phenotypes.parquet",
        pca=lambda wildcards: (
            [f"results/models/{wildcards.model}/pca.h5ad"]
            if wildcards.model in WITH_EMBEDDINGS
            else []
        ),
        images="results/images/images.npy",
        table="results/images/images.parquet",
    output:
        png=f"{PRIVATE_COMPONENTS}/{{model}}/quantiles.png",
    log:
        "results/logs/components_quantiles/{model}.log",
    benchmark:
        "results/benchmarks/components_quantiles/{model}.tsv"
    wildcard_constraints:
        model=one_of(WITH_IMAGES),
    resources:
        mem_mb=grows(2000, phenotypes=10),
        runtime=grows(30),
    params:
        code=code_of("components_quantiles"),
    script:
        "../scripts/components_quantiles.py"


rule components_neighbours:
    input:
        embeddings="results/models/{model}/embeddings.h5ad",
        images="results/images/images.npy",
        table="results/images/images.parquet",
    output:
        png=f"{PRIVATE_COMPONENTS}/{{model}}/neighbours.png",
    log:
        "results/logs/components_neighbours/{model}.log",
    benchmark:
        "results/benchmarks/components_neighbours/{model}.tsv"
    wildcard_constraints:
        model=one_of([model for model in WITH_IMAGES if model in WITH_EMBEDDINGS]),
    resources:
        mem_mb=grows(2000, embeddings=8),
        runtime=grows(30),
    params:
        code=code_of("components_neighbours"),
        settings=config_subset("seed"),
    script:
        "../scripts/components_neighbours.py"


# Not part of a plain run, because the figures show single samples: snakemake components.
rule components:
    input:
        lambda wildcards: block("images")
        and [
            *expand(rules.components_quantiles.output.png, model=WITH_IMAGES),
            *expand(
                rules.components_neighbours.output.png,
                model=[model for model in WITH_IMAGES if model in WITH_EMBEDDINGS],
            ),
        ],
    localrule: True
