# Withdrawn participants: outputs that still hold them are removed, and the remaining files are searched for their IDs.


FILES_WITH_IDS = [
    rules.samples.output.cohort,
    rules.genotypes_samples.output.samples,
    "results/genotypes/kinship.parquet",
    "results/genotypes/pcs.parquet",
    *expand(rules.genotypes_variants.output.missing, chrom=CHROMOSOMES),
    *(rules.images.output if "images" in config else []),
    *expand("results/models/{model}/phenotypes.parquet", model=MODELS),
    *expand("results/models/{model}/covariates.parquet", model=MODELS),
    *expand("results/models/{model}/embeddings.h5ad", model=WITH_EMBEDDINGS),
    *([rules.evaluate_samples.output.samples] if COMMON else []),
]


# The last job of a plain run. Its inputs include the figures that show samples without their IDs.
rule withdrawal:
    input:
        withdrawn=withdrawn_list,
        candidates=rules.samples_candidates.output.candidates,
        files_with_ids=FILES_WITH_IDS,
        modalities=rules.modalities.input,
        embeddings=rules.embed.input,
        report=rules.report.output,
        plots=rules.plots.input,
        downstream=PRIVATE_DOWNSTREAM,
        explanations=PRIVATE_EXPLANATIONS,
        replication=expand(rules.replicate_model.output.replication, model=REPLICATED),
    output:
        searched="results/withdrawal/searched.tsv",
    log:
        "results/logs/withdrawal/withdrawal.log",
    benchmark:
        "results/benchmarks/withdrawal/withdrawal.tsv"
    resources:
        mem_mb=grows(4000, embeddings=4),
        runtime=grows(60),
    params:
        code=code_of("withdrawal"),
        withdrawn=content_digest(config["samples"]["withdrawn"]),
    script:
        "../scripts/withdrawal.py"
