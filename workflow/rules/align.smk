# One row a person, from the network that did not train on them, in the coordinates of fold 0.


rule align_folds:
    input:
        embeddings=lambda wildcards: expand(
            rules.embed_fold.output.embeddings,
            model=wildcards.model,
            fold=folds(wildcards.model),
        ),
    output:
        embeddings="results/models/{model}/embeddings.h5ad",
        alignment="results/models/{model}/alignment.json",
        frozen="results/models/{model}/alignment.npz",
    log:
        "results/logs/align_folds/{model}.log",
    benchmark:
        "results/benchmarks/align_folds/{model}.tsv"
    wildcard_constraints:
        model=one_of(RECIPES),
    resources:
        mem_mb=grows(4000, embeddings=4),
        runtime=grows(60),
    params:
        code=library("align", script="align_folds"),
        settings=stage("model.modalities?", "math_threads"),
    script:
        "../scripts/align_folds.py"


rule align_brought:
    input:
        embeddings=lambda wildcards: config["models"][wildcards.model]["embeddings"],
        cohort=rules.samples.output.cohort,
    output:
        embeddings="results/models/{model}/embeddings.h5ad",
        alignment="results/models/{model}/alignment.json",
    log:
        "results/logs/align_brought/{model}.log",
    benchmark:
        "results/benchmarks/align_brought/{model}.tsv"
    wildcard_constraints:
        model=one_of(EMBEDDED),
    resources:
        mem_mb=grows(4000, embeddings=6),
        runtime=grows(60),
    params:
        code=library("align", script="align_brought"),
    script:
        "../scripts/align_brought.py"


rule align:
    input:
        expand(rules.align_folds.output.embeddings, model=[*RECIPES, *EMBEDDED, *APPLIED]),
    localrule: True
