# One network a fold: contrastive training of an image encoder, with genetics or without.


rule pretrain_fold:
    input:
        people=settled("people"),
        images=settled("images"),
        modalities=lambda wildcards: settled(*parts(wildcards)),
        lineage=lambda wildcards: expand(
            rules.lineage.output.lineage, part=["people", "images", *parts(wildcards)]
        ),
        weights=lambda wildcards: optional(config["models"][wildcards.model].get("weights")),
    output:
        checkpoint="results/models/{model}/fold{fold}/model.ckpt",
        history="results/models/{model}/fold{fold}/history.csv",
    log:
        "results/logs/pretrain_fold/{model}.fold{fold}.log",
    benchmark:
        "results/benchmarks/pretrain_fold/{model}.fold{fold}.tsv"
    wildcard_constraints:
        model=one_of(RECIPES),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(16000, images=1.1, modalities=4),
        runtime=grows(1440, images=0.05),
        gpu=1,
        # how it runs, not what it trains: in resources, because a changed param would train again
        save_minutes=config["pretrain"]["save_minutes"],
        tensorboard=int(config["pretrain"]["tensorboard"]),
    params:
        code=library("pretrain", script="pretrain_fold"),
        settings=stage(
            "model",
            "seed",
            "math_threads",
            "samples.validation",
            "samples.heldout",
        ),
        read=read_in_training,
    script:
        "../scripts/pretrain_fold.py"


rule pretrain:
    input:
        [
            path
            for model in RECIPES
            for path in expand(rules.pretrain_fold.output, model=model, fold=folds(model))
        ],
    localrule: True
