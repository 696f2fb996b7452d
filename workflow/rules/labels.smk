# Labels of people from features and by fine-tuning: the tasks classification and regression of downstream.


rule downstream_labels:
    input:
        table=lambda wildcards: config["downstream"][wildcards.task]["table"],
        cohort=cohort_of_task,
        withdrawn=withdrawn_of_task,
    output:
        people=f"{PRIVATE}/labelled/{{task}}/labels.parquet",
        target=f"{PRIVATE}/labelled/{{task}}/target.json",
    log:
        "results/logs/downstream_labels/{task}.log",
    benchmark:
        "results/benchmarks/downstream_labels/{task}.tsv"
    wildcard_constraints:
        task=one_of(TASKS_OF_LABELS),
    resources:
        mem_mb=grows(2000, table=20),
        runtime=grows(30),
    params:
        code=library("downstream.labels.table", script="downstream_labels"),
        settings=of_table,
        withdrawn=lambda wildcards: [content(path) for path in withdrawn_of_task(wildcards)],
    script:
        "../scripts/downstream_labels.py"


rule downstream_pictures:
    input:
        people=rules.downstream_labels.output.people,
    output:
        listed=f"{PRIVATE}/labelled/{{task}}/pictures.tsv",
        images=f"{PRIVATE}/labelled/{{task}}/images.npy",
        table=f"{PRIVATE}/labelled/{{task}}/images.parquet",
        left_out=f"{PRIVATE}/labelled/{{task}}/left_out.tsv",
    log:
        "results/logs/downstream_pictures/{task}.log",
    benchmark:
        "results/benchmarks/downstream_pictures/{task}.tsv"
    wildcard_constraints:
        task=one_of(OUTSIDE),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000),
        runtime=grows(60, people=600),
    params:
        code=library("downstream.labels.pictures", script="downstream_pictures"),
        settings=of_pictures,
    script:
        "../scripts/downstream_pictures.py"


rule downstream_features:
    input:
        images=rules.downstream_pictures.output.images,
        table=rules.downstream_pictures.output.table,
        checkpoint=networks_of_task,
    output:
        embeddings=f"{PRIVATE}/{{model}}/{{task}}/embeddings.h5ad",
    log:
        "results/logs/downstream_features/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_features/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(RECIPES),
        task=one_of(OUTSIDE),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=1.1),
        runtime=grows(120, images=0.01),
        gpu=1,
    params:
        code=library("downstream.labels.pictures", script="downstream_features"),
        settings=of_features,
    script:
        "../scripts/downstream_features.py"


rule downstream_predict:
    input:
        people=rules.downstream_labels.output.people,
        target=rules.downstream_labels.output.target,
        embeddings=features_of_task,
        checkpoints=trained_of_task,
        images=images_of_task("images"),
        table=images_of_task("table"),
    output:
        predictions=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/predictions.parquet",
        skipped=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/skipped.tsv",
    log:
        "results/logs/downstream_predict/{model}.{task}.seed{seed}.log",
    benchmark:
        "results/benchmarks/downstream_predict/{model}.{task}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED, *APPLIED]),
        task=one_of(TASKS_OF_LABELS),
        seed=r"\d+",
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, embeddings=8, images=2),
        runtime=grows(720, embeddings=2, images=0.5),
        gpu=1,
    params:
        code=library("downstream.labels.run", script="downstream_predict"),
        settings=of_predictions,
    script:
        "../scripts/downstream_predict.py"


rule downstream_classification:
    input:
        people=rules.downstream_labels.output.people,
        target=rules.downstream_labels.output.target,
        predictions=predictions_of_task("predictions"),
        skipped=predictions_of_task("skipped"),
    output:
        json="results/models/{model}/downstream/{task}.json",
        tsv="results/models/{model}/downstream/{task}.tsv",
        png=report(
            "results/models/{model}/downstream/{task}.png",
            caption="../report/classification.rst",
            category="Downstream",
            labels={"model": "{model}", "task": "{task}"},
        ),
        pdf="results/models/{model}/downstream/{task}.pdf",
        people=f"{PRIVATE}/{{model}}/{{task}}/people.parquet",
    log:
        "results/logs/downstream_classification/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_classification/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED, *APPLIED]),
        task=one_of(TASKS["classification"]),
    resources:
        mem_mb=grows(4000, predictions=40),
        runtime=grows(120, predictions=20),
    params:
        code=library("downstream.labels.summary", script="downstream_predictions"),
        settings=of_predictions,
    script:
        "../scripts/downstream_predictions.py"


use rule downstream_classification as downstream_regression with:
    output:
        json="results/models/{model}/downstream/{task}.json",
        tsv="results/models/{model}/downstream/{task}.tsv",
        png=report(
            "results/models/{model}/downstream/{task}.png",
            caption="../report/regression.rst",
            category="Downstream",
            labels={"model": "{model}", "task": "{task}"},
        ),
        pdf="results/models/{model}/downstream/{task}.pdf",
        people=f"{PRIVATE}/{{model}}/{{task}}/people.parquet",
    log:
        "results/logs/downstream_regression/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_regression/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of([*RECIPES, *EMBEDDED, *APPLIED]),
        task=one_of(TASKS["regression"]),
