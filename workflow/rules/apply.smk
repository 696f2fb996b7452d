# A frozen model of another run: it embeds this cohort, and the loci found there are looked up here.


rule apply_fold:
    input:
        checkpoint=lambda wildcards: frozen(wildcards.model, f"fold{wildcards.fold}/model.ckpt"),
        alignment=lambda wildcards: frozen(wildcards.model, "alignment.npz"),
        # only looked at before the work: other components change no embedding
        pca=ancient(lambda wildcards: frozen(wildcards.model, "pca.h5ad")),
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
        code=library("apply.frozen", script="apply_fold"),
        settings=stage("embed", "math_threads"),
    script:
        "../scripts/apply_fold.py"


rule apply_model:
    input:
        embeddings=lambda wildcards: expand(
            rules.apply_fold.output.embeddings,
            model=wildcards.model,
            fold=range(contigwas_config.networks(config, wildcards.model)),
        ),
        alignment=lambda wildcards: frozen(wildcards.model, "alignment.npz"),
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
        code=library("apply.average", script="apply_model"),
        settings=stage("math_threads"),
    script:
        "../scripts/apply_model.py"


rule apply:
    input:
        expand(rules.apply_model.output, model=APPLIED),
    localrule: True


rule replicate_model:
    input:
        loci=lambda wildcards: frozen(wildcards.model, "loci.tsv"),
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
        code=library("apply.replicate", script="replicate_model"),
        settings=stage("loci.test", "genotypes.chromosomes"),
    script:
        "../scripts/replicate_model.py"


rule replicate:
    input:
        lambda wildcards: expand(
            rules.replicate_model.output.replication,
            model=told(contigwas_config.require_replicated, REPLICATED),
        ),
    localrule: True
