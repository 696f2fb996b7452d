# Clusters of people in the space of a model's features: a task of downstream.


def labels_of_task(wildcards) -> list[str]:
    labels = config["downstream"][wildcards.task]["labels"]
    return [labels["table"]] if labels else []


def of_clusters(wildcards) -> dict:
    """The settings of a clustering: which other models are clustered does not matter."""
    block = f"downstream.{wildcards.task}"
    chosen = told(contigwas_config.settings, config, block, "seed", "math_threads")
    return {key: value for key, value in chosen.items() if key != "models"}


rule downstream_clusters:
    input:
        embeddings="results/models/{model}/embeddings.h5ad",
        labels=labels_of_task,
    output:
        json="results/models/{model}/downstream/{task}.json",
        tsv="results/models/{model}/downstream/{task}.tsv",
        png=report(
            "results/models/{model}/downstream/{task}.png",
            caption="../report/clusters.rst",
            category="Downstream",
            labels={"model": "{model}", "task": "{task}"},
        ),
        pdf="results/models/{model}/downstream/{task}.pdf",
        people=f"{PRIVATE}/{{model}}/{{task}}.parquet",
    log:
        "results/logs/downstream_clusters/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_clusters/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED, *APPLIED]),
        task=one_of(TASKS["clusters"]),
    conda:
        "../../envs/contigwas.yaml"
    threads: config["math_threads"]
    resources:
        mem_mb=grows(4000, embeddings=8),
        runtime=grows(120, embeddings=1),
    params:
        code=library("downstream.clusters", script="downstream_clusters"),
        settings=of_clusters,
    script:
        "../scripts/downstream_clusters.py"
