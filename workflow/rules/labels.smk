# Prediction of labels from features and by fine-tuning: the downstream tasks `classification` and `regression`.


rule downstream_labels:
    input:
        table=lambda wildcards: config["downstream"][wildcards.task]["table"],
        cohort=task_cohort,
        withdrawn=task_withdrawn,
    output:
        samples=f"{PRIVATE}/labelled/{{task}}/labels.parquet",
        target=f"{PRIVATE}/labelled/{{task}}/target.json",
    log:
        "results/logs/downstream_labels/{task}.log",
    benchmark:
        "results/benchmarks/downstream_labels/{task}.tsv"
    wildcard_constraints:
        task=one_of(LABEL_TASKS),
    resources:
        mem_mb=grows(2000, table=20),
        runtime=grows(30),
    params:
        code=code_of("downstream_labels"),
        settings=label_table_settings,
        withdrawn=lambda wildcards: [content_digest(path) for path in task_withdrawn(wildcards)],
    script:
        "../scripts/downstream_labels.py"


rule downstream_images:
    input:
        samples=rules.downstream_labels.output.samples,
    output:
        listed=f"{PRIVATE}/labelled/{{task}}/image_list.tsv",
        images=f"{PRIVATE}/labelled/{{task}}/images.npy",
        table=f"{PRIVATE}/labelled/{{task}}/images.parquet",
        left_out=f"{PRIVATE}/labelled/{{task}}/left_out.tsv",
    log:
        "results/logs/downstream_images/{task}.log",
    benchmark:
        "results/benchmarks/downstream_images/{task}.tsv"
    wildcard_constraints:
        task=one_of(EXTERNAL_TASKS),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000),
        runtime=grows(60, samples=600),
    params:
        code=code_of("downstream_images"),
        settings=external_image_settings,
        image_files=external_image_files,
    script:
        "../scripts/downstream_images.py"


rule downstream_features:
    input:
        images=rules.downstream_images.output.images,
        table=rules.downstream_images.output.table,
        checkpoint=task_checkpoints,
    output:
        embeddings=f"{PRIVATE}/{{model}}/{{task}}/embeddings.h5ad",
    log:
        "results/logs/downstream_features/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_features/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
        task=one_of(EXTERNAL_TASKS),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=1.1),
        runtime=grows(120, images=0.01),
        gpu=1,
    params:
        code=code_of("downstream_features"),
        settings=external_feature_settings,
    script:
        "../scripts/downstream_features.py"


rule downstream_predict:
    input:
        samples=rules.downstream_labels.output.samples,
        target=rules.downstream_labels.output.target,
        embeddings=task_embeddings,
        checkpoints=task_trained_checkpoints,
        images=task_images("images"),
        table=task_images("table"),
    output:
        predictions=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/predictions.parquet",
        skipped=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/skipped.tsv",
    log:
        "results/logs/downstream_predict/{model}.{task}.seed{seed}.log",
    benchmark:
        "results/benchmarks/downstream_predict/{model}.{task}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(WITH_EMBEDDINGS),
        task=one_of(LABEL_TASKS),
        seed=r"\d+",
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, embeddings=8, images=2),
        runtime=grows(720, embeddings=2, images=0.5),
        gpu=1,
    params:
        code=code_of("downstream_predict"),
        settings=prediction_settings,
    script:
        "../scripts/downstream_predict.py"


rule downstream_classification:
    input:
        samples=rules.downstream_labels.output.samples,
        target=rules.downstream_labels.output.target,
        predictions=prediction_outputs("predictions"),
        skipped=prediction_outputs("skipped"),
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
        samples=f"{PRIVATE}/{{model}}/{{task}}/samples.parquet",
    log:
        "results/logs/downstream_classification/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_classification/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(WITH_EMBEDDINGS),
        task=one_of(TASKS["classification"]),
    resources:
        mem_mb=grows(4000, predictions=40),
        runtime=grows(120, predictions=20),
    params:
        code=code_of("downstream_predictions"),
        settings=prediction_settings,
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
        samples=f"{PRIVATE}/{{model}}/{{task}}/samples.parquet",
    log:
        "results/logs/downstream_regression/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_regression/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(WITH_EMBEDDINGS),
        task=one_of(TASKS["regression"]),
