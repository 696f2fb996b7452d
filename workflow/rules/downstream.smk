# What features are good for, from labels. Tasks of each kind have rules of their own, which make the same files.


include: "clusters.smk"
include: "labels.smk"


rule downstream_labelled:
    input:
        table=lambda wildcards: config["downstream"][wildcards.task]["table"],
        cohort=cohort_of_task,
        withdrawn=withdrawn_of_task,
    output:
        people=f"{PRIVATE}/labelled/{{task}}/labelled.parquet",
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
        code=library("downstream.segmentation.labelled", script="downstream_labelled"),
        settings=of_labelled,
        withdrawn=lambda wildcards: [content(path) for path in withdrawn_of_task(wildcards)],
    script:
        "../scripts/downstream_labelled.py"


rule downstream_segment:
    input:
        people=rules.downstream_labelled.output.people,
        images=rules.downstream_labelled.output.images,
        masks=rules.downstream_labelled.output.masks,
        checkpoints=networks_of_task,
        genes=genes_of_task,
        pcs=components_of_task,
    output:
        scores=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/scores.parquet",
        examples=f"{PRIVATE}/{{model}}/{{task}}.seed{{seed}}/examples.npz",
    log:
        "results/logs/downstream_segment/{model}.{task}.seed{seed}.log",
    benchmark:
        "results/benchmarks/downstream_segment/{model}.{task}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(RECIPES),
        task=one_of(TASKS["segmentation"]),
        seed=r"\d+",
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=8, genes=4),
        runtime=grows(720, images=0.5),
        gpu=1,
    params:
        code=library("downstream.segmentation.run", script="downstream_segment"),
        settings=of_fits,
    script:
        "../scripts/downstream_segment.py"


rule downstream_segmentation:
    input:
        scores=seeds_of_task("scores"),
        examples=seeds_of_task("examples"),
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
        people=f"{PRIVATE}/{{model}}/{{task}}/people.parquet",
        overlays=f"{PRIVATE}/{{model}}/{{task}}/overlays.png",
    log:
        "results/logs/downstream_segmentation/{model}.{task}.log",
    benchmark:
        "results/benchmarks/downstream_segmentation/{model}.{task}.tsv"
    wildcard_constraints:
        model=one_of(RECIPES),
        task=one_of(TASKS["segmentation"]),
    resources:
        mem_mb=grows(4000, scores=20),
        runtime=grows(60),
    params:
        code=library("downstream.segmentation.summary", script="downstream_segmentation"),
        settings=of_fits,
    script:
        "../scripts/downstream_segmentation.py"


# what names or shows people
PRIVATE_DOWNSTREAM = [
    *(
        path
        for model, task in DOWNSTREAM
        if task in TASKS["clusters"]
        for path in expand(rules.downstream_clusters.output.people, model=model, task=task)
    ),
    *expand(rules.downstream_labelled.output, task=TASKS["segmentation"]),
    *expand(rules.downstream_labels.output, task=TASKS_OF_LABELS),
    *expand(rules.downstream_pictures.output, task=OUTSIDE),
    *(
        path
        for model, task in DOWNSTREAM
        if task in OUTSIDE
        for path in expand(rules.downstream_features.output, model=model, task=task)
    ),
    *(
        path
        for model, task in DOWNSTREAM
        if task in TASKS_OF_LABELS
        for path in [
            *expand(
                rules.downstream_predict.output,
                model=model,
                task=task,
                seed=range(config["downstream"][task]["seeds"]),
            ),
            f"{PRIVATE}/{model}/{task}/people.parquet",
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
                [rules.downstream_segmentation.output[name] for name in ("people", "overlays")],
                model=model,
                task=task,
            ),
        ]
    ),
]


rule downstream:
    input:
        lambda wildcards: told(contigwas_tasks.require, DOWNSTREAM) and DOWNSTREAM_FILES,
    localrule: True
