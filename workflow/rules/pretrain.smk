# One network a fold: contrastive training of an image encoder, with genetics or without.


def settled(path: str) -> str:
    """An input of training that does not train again by changing: whoever withdraws leaves it at once, and the weights
    stay, unless the config says otherwise. Training depends on what it is made of instead: see lineage.smk.
    """
    # a copy: ancient() marks the very path that other rules share
    return str(path) if config["samples"]["retrain_on_withdrawal"] else ancient(str(path))


rule pretrain_fold:
    input:
        images=settled(rules.images.output.images),
        table=settled(rules.images.output.table),
        cohort=settled(rules.samples.output.cohort),
        modalities=lambda wildcards: [settled(path) for path in modalities(wildcards)],
        pcs=lambda wildcards: [settled(path) for path in components(wildcards)],
        lineage=trained_on,
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
    conda:
        "../../envs/contigwas.yaml"
    threads: config["math_threads"]
    resources:
        mem_mb=grows(16000, images=1.1, modalities=4),
        runtime=grows(1440, images=0.05),
        gpu=1,
        # how it runs, not what it trains: in resources, because a changed param would train again
        save_minutes=config["pretrain"]["save_minutes"],
        tensorboard=int(config["pretrain"]["tensorboard"]),
    params:
        code=library("pretrain"),
        settings=stage(
            "model",
            "seed",
            "math_threads",
            "samples.validation",
            "samples.heldout",
        ),
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
