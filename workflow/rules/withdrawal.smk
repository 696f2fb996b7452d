# People who withdrew: whatever the run did not make anew without them is removed, and the rest is searched for them.


NAMES_PEOPLE = [
    rules.samples.output.cohort,
    rules.genotypes_people.output.people,
    "results/genotypes/kinship.parquet",
    "results/genotypes/pcs.parquet",
    *expand(rules.genotypes_variants.output.missing, chrom=CHROMOSOMES),
    *(rules.images.output if "images" in config else []),
    *expand("results/models/{model}/phenotypes.parquet", model=MODELS),
    *expand("results/models/{model}/covariates.parquet", model=MODELS),
    *expand("results/models/{model}/embeddings.h5ad", model=[*RECIPES, *EMBEDDED, *APPLIED]),
    *([rules.evaluate_people.output.people] if EQUAL else []),
]


# The last job of a plain run: it also needs everything that shows people without naming them.
rule withdrawal:
    input:
        withdrawn=withdrawn,
        candidates=rules.samples_candidates.output.candidates,
        made=NAMES_PEOPLE,
        modalities=rules.modalities.input,
        embeddings=rules.embed.input,
        report=rules.report.output,
        plots=rules.plots.input,
        downstream=PRIVATE_DOWNSTREAM,
        explanations=PRIVATE_EXPLAINED,
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
        code=library("withdrawal", script="withdrawal"),
        withdrawn=content(config["samples"]["withdrawn"]),
    script:
        "../scripts/withdrawal.py"
