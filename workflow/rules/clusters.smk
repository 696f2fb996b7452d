# Clusters of samples in the features of a model: the downstream task `clusters`.


rule downstream_clusters:
    input:
        embeddings="results/models/{model}/embeddings.h5ad",
        cohort=rules.samples.output.cohort,
        labels=task_label_table,
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
        samples=f"{PRIVATE}/{{model}}/{{task}}.parquet",
    log:
        "results/logs/downstream_clusters/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_clusters/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(WITH_EMBEDDINGS),
        task=one_of(TASKS["clusters"]),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(4000, embeddings=8),
        runtime=grows(120, embeddings=1),
    params:
        code=code_of("downstream_clusters"),
        settings=cluster_settings,
    script:
        "../scripts/downstream_clusters.py"
