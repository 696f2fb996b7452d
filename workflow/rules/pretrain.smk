# Self-supervised training of an image encoder, one network per fold, with or without genetics.


rule pretrain_fold:
    input:
        samples=ready("samples"),
        images=ready("images"),
        modalities=lambda wildcards: ready(*training_parts(wildcards)),
        digests=lambda wildcards: expand(
            rules.training_inputs_digest.output.digest,
            part=["samples", "images", *training_parts(wildcards)],
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
        model=one_of(TRAINED),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(16000, images=1.1, modalities=4),
        runtime=grows(1440, images=0.05),
        gpu=1,
        # These keys do not change the result. They are resources, because a changed param would train again.
        save_minutes=config["pretrain"]["save_minutes"],
        tensorboard=int(config["pretrain"]["tensorboard"]),
    params:
        code=code_of("pretrain_fold"),
        settings=config_subset(
            "model",
            "seed",
            "math_threads",
            "samples.validation",
            "samples.heldout",
        ),
        read=training_inputs,
    script:
        "../scripts/pretrain_fold.py"


rule pretrain:
    input:
        [
            path
            for model in TRAINED
            for path in expand(rules.pretrain_fold.output, model=model, fold=folds(model))
        ],
    localrule: True
