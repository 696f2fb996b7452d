# Downstream tasks: how well features predict labels. Each kind of task has its own rules, which write the same files.


include: "clusters.smk"
include: "labels.smk"


rule downstream_labelled:
    input:
        table=lambda wildcards: config["downstream"][wildcards.task]["table"],
        cohort=task_cohort,
        withdrawn=task_withdrawn,
    output:
        samples=f"{PRIVATE}/labelled/{{task}}/labelled.parquet",
        images=f"{PRIVATE}/labelled/{{task}}/images.npy",
        masks=f"{PRIVATE}/labelled/{{task}}/masks.npy",
        left_out=f"{PRIVATE}/labelled/{{task}}/left_out.tsv",
    log:
        "results/logs/downstream_labelled/{task}.log",
    benchmark:
        "results/benchmarks/downstream_labelled/{task}.tsv"
    wildcard_constraints:
        task=one_of(TASKS["segmentation"]),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, table=20000),
        runtime=grows(60, table=60),
    params:
        code=code_of("downstream_labelled"),
        settings=segmentation_image_settings,
        image_files=segmentation_files,
        withdrawn=lambda wildcards: [content_digest(path) for path in task_withdrawn(wildcards)],
    script:
        "../scripts/downstream_labelled.py"


rule downstream_segment:
    input:
        samples=rules.downstream_labelled.output.samples,
        images=rules.downstream_labelled.output.images,
        masks=rules.downstream_labelled.output.masks,
        checkpoints=task_checkpoints,
        genes=task_modality,
        pcs=task_pcs,
    output:
        scores=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/scores.parquet",
        examples=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/examples.npz",
    log:
        "results/logs/downstream_segment/{model}.{task}.seed{seed}.log",
    benchmark:
        "results/benchmarks/downstream_segment/{model}.{task}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
        task=one_of(TASKS["segmentation"]),
        seed=r"\d+",
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=8, genes=4),
        runtime=grows(720, images=0.5),
        gpu=1,
    params:
        code=code_of("downstream_segment"),
        settings=segmentation_settings,
    script:
        "../scripts/downstream_segment.py"


rule downstream_segmentation:
    input:
        scores=segmentation_outputs("scores"),
        examples=segmentation_outputs("examples"),
    output:
        json="results/models/{model}/downstream/{task}.json",
        tsv="results/models/{model}/downstream/{task}.tsv",
        png=report(
            "results/models/{model}/downstream/{task}.png",
            caption="../report/segmentation.rst",
            category="Downstream",
            labels={"model": "{model}", "task": "{task}"},
        ),
        pdf="results/models/{model}/downstream/{task}.pdf",
        samples=f"{PRIVATE}/{{model}}/{{task}}/samples.parquet",
        overlays=f"{PRIVATE}/{{model}}/{{task}}/overlays.png",
    log:
        "results/logs/downstream_segmentation/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_segmentation/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
        task=one_of(TASKS["segmentation"]),
    resources:
        mem_mb=grows(4000, scores=20),
        runtime=grows(60),
    params:
        code=code_of("downstream_segmentation"),
        settings=segmentation_settings,
    script:
        "../scripts/downstream_segmentation.py"


# files that hold IDs or show single samples
PRIVATE_DOWNSTREAM = [
    *(
        path
        for model, task in DOWNSTREAM
        if task in TASKS["clusters"]
        for path in expand(rules.downstream_clusters.output.samples, model=model, task=task)
    ),
    *expand(rules.downstream_labelled.output, task=TASKS["segmentation"]),
    *expand(rules.downstream_labels.output, task=LABEL_TASKS),
    *expand(rules.downstream_images.output, task=EXTERNAL_TASKS),
    *(
        path
        for model, task in DOWNSTREAM
        if task in EXTERNAL_TASKS
        for path in expand(rules.downstream_features.output, model=model, task=task)
    ),
    *(
        path
        for model, task in DOWNSTREAM
        if task in LABEL_TASKS
        for path in [
            *expand(
                rules.downstream_predict.output,
                model=model,
                task=task,
                seed=range(config["downstream"][task]["seeds"]),
            ),
            f"{PRIVATE}/{model}/{task}/samples.parquet",
        ]
    ),
    *(
        path
        for model, task in DOWNSTREAM
        if task in TASKS["segmentation"]
        for path in [
            *expand(
                rules.downstream_segment.output,
                model=model,
                task=task,
                seed=range(config["downstream"][task]["seeds"]),
            ),
            *expand(
                [rules.downstream_segmentation.output[name] for name in ("samples", "overlays")],
                model=model,
                task=task,
            ),
        ]
    ),
]


rule downstream:
    input:
        lambda wildcards: exit_on_user_error(config_downstream.require, DOWNSTREAM)
        and DOWNSTREAM_FILES,
    localrule: True
