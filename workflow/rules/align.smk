# Alignment: one row per sample, from the network that did not train on it, in the coordinates of fold 0.


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
        model=one_of(TRAINED),
    resources:
        mem_mb=grows(4000, embeddings=4),
        runtime=grows(60),
    params:
        code=code_of("align_folds"),
        settings=config_subset("model.modalities?", "math_threads"),
    script:
        "../scripts/align_folds.py"


rule align_external:
    input:
        embeddings=lambda wildcards: config["models"][wildcards.model]["embeddings"],
        cohort=rules.samples.output.cohort,
    output:
        embeddings="results/models/{model}/embeddings.h5ad",
        alignment="results/models/{model}/alignment.json",
    log:
        "results/logs/align_external/{model}.log",
    benchmark:
        "results/benchmarks/align_external/{model}.tsv"
    wildcard_constraints:
        model=one_of(EXTERNAL_EMBEDDINGS),
    resources:
        mem_mb=grows(4000, embeddings=6),
        runtime=grows(60),
    params:
        code=code_of("align_external"),
    script:
        "../scripts/align_external.py"


rule align:
    input:
        expand(rules.align_folds.output.embeddings, model=WITH_EMBEDDINGS),
    localrule: True
