# Frozen models of another run: they embed this cohort, and the loci of that run are replicated here.


rule apply_fold:
    input:
        checkpoint=lambda wildcards: frozen_file(
            wildcards.model, f"fold{wildcards.fold}/model.ckpt"
        ),
        alignment=lambda wildcards: frozen_file(wildcards.model, "alignment.npz"),
        # Only checked before the embedding, which does not depend on the components.
        pca=ancient(lambda wildcards: frozen_file(wildcards.model, "pca.h5ad")),
        images=rules.images.output.images,
        table=rules.images.output.table,
        cohort=rules.samples.output.cohort,
    output:
        embeddings="results/models/{model}/fold{fold}/embeddings.h5ad",
    log:
        "results/logs/apply_fold/{model}.fold{fold}.log",
    benchmark:
        "results/benchmarks/apply_fold/{model}.fold{fold}.tsv"
    wildcard_constraints:
        model=one_of(APPLIED),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000, images=1.1),
        runtime=grows(120, images=0.01),
        gpu=1,
    params:
        code=code_of("apply_fold"),
        settings=config_subset("embed", "math_threads"),
    script:
        "../scripts/apply_fold.py"


rule apply_model:
    input:
        embeddings=lambda wildcards: expand(
            rules.apply_fold.output.embeddings,
            model=wildcards.model,
            fold=range(config_settings.networks(config, wildcards.model)),
        ),
        alignment=lambda wildcards: frozen_file(wildcards.model, "alignment.npz"),
    output:
        embeddings="results/models/{model}/embeddings.h5ad",
        alignment="results/models/{model}/alignment.json",
    log:
        "results/logs/apply_model/{model}.log",
    benchmark:
        "results/benchmarks/apply_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(APPLIED),
    resources:
        mem_mb=grows(4000, embeddings=4),
        runtime=grows(60),
    params:
        code=code_of("apply_model"),
        settings=config_subset("math_threads"),
    script:
        "../scripts/apply_model.py"


rule apply:
    input:
        expand(rules.apply_model.output, model=APPLIED),
    localrule: True


rule replicate_model:
    input:
        loci=lambda wildcards: frozen_file(wildcards.model, "loci.tsv"),
        gwas=expand(
            "results/models/{model}/gwas/chr{chrom}.parquet",
            chrom=CHROMOSOMES,
            allow_missing=True,
        ),
    output:
        replication=report(
            "results/models/{model}/replication.tsv",
            caption="../report/replication.rst",
            category="Loci",
            labels={"model": "{model}"},
        ),
    log:
        "results/logs/replicate_model/{model}.log",
    benchmark:
        "results/benchmarks/replicate_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(APPLIED),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        code=code_of("replicate_model"),
        settings=config_subset("loci.test", "chromosomes"),
    script:
        "../scripts/replicate_model.py"


rule replicate:
    input:
        lambda wildcards: expand(
            rules.replicate_model.output.replication,
            model=exit_on_user_error(config_settings.require_replicated, REPLICATED),
        ),
    localrule: True
