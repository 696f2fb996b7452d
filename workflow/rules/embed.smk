# Embeddings: trunk features of every sample with an image, from the network of each fold.


rule embed_fold:
    input:
        checkpoint=rules.pretrain_fold.output.checkpoint,
        images=rules.images.output.images,
        table=rules.images.output.table,
        cohort=rules.samples.output.cohort,
    output:
        embeddings="results/models/{model}/fold{fold}/embeddings.h5ad",
    log:
        "results/logs/embed_fold/{model}.fold{fold}.log",
    benchmark:
        "results/benchmarks/embed_fold/{model}.fold{fold}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=1.1),
        runtime=grows(120, images=0.01),
        gpu=1,
    params:
        code=code_of("embed_fold"),
        settings=config_subset("embed", "math_threads"),
    script:
        "../scripts/embed_fold.py"


rule embed:
    input:
        [
            path
            for model in TRAINED
            for path in expand(rules.embed_fold.output, model=model, fold=folds(model))
        ],
    localrule: True
