# Attributions of the contrastive loss to genetic features: averages over samples and, if asked for, single samples.

EXPLAINED = config_explain.explained(config)
EXPLAINED_SAMPLES = EXPLAINED if config.get("explain", {}).get("private") else []
PRIVATE_EXPLANATIONS = [
    f"results/private/explanations/{model}/{name}"
    for model in EXPLAINED_SAMPLES
    for name in ("explanations.pdf", "features.tsv")
]
# Not explain.models and explain.private: they decide which models and samples are explained, not the values.
EXPLAIN_SETTINGS = config_subset(
    "explain.baseline",
    "explain.n_samples",
    "explain.reference",
    "explain.steps",
    "explain.noise",
    "embed.checkpoint",
    "seed",
    "math_threads",
)


def attribution_methods(
    wildcards,
) -> dict[str, list[str]]:
    """The methods of explain.methods that the model's encoders support, and those that they do not."""
    return {
        "methods": config_explain.methods(config, wildcards.model),
        "left_out": config_explain.left_out(config, wildcards.model),
    }


def explained_images_mb(
    models: list[str],
) -> int:
    """Memory in MB for the images of all samples drawn for a network, and for the activations of one."""
    if not models:
        return 0
    images, explain = config["images"], config["explain"]
    pixels = images["size"] ** images["dimensions"]
    references = max(len(config["models"][model]["modalities"]) for model in models)
    samples = explain["n_samples"] + explain["reference"] * references
    return ceil((3 * samples + 3000) * pixels / 1e6)


def explain_files(
    wildcards,
) -> dict[str, list[str] | str]:
    """What an explanation reads: all networks of the model, the images, the cohort, the modalities, and the PCs."""
    return {
        "checkpoints": expand(
            rules.pretrain_fold.output.checkpoint,
            model=wildcards.model,
            fold=folds(wildcards.model),
        ),
        "images": rules.images.output.images,
        "table": rules.images.output.table,
        "cohort": rules.samples.output.cohort,
        "modalities": modality_files(wildcards),
        "pcs": adjustment_pcs(wildcards),
    }


rule explain_model:
    input:
        unpack(explain_files),
    output:
        features="results/models/{model}/explanations/features.parquet",
        modalities="results/models/{model}/explanations/modalities.tsv",
        completeness="results/models/{model}/explanations/completeness.tsv",
    log:
        "results/logs/explain_model/{model}.log",
    benchmark:
        "results/benchmarks/explain_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(EXPLAINED),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000 + explained_images_mb(EXPLAINED), table=20, cohort=20),
        runtime=grows(120),
        gpu=1,
    params:
        code=code_of("explain_model"),
        settings=EXPLAIN_SETTINGS,
        attributions=attribution_methods,
        names=lambda wildcards: config["models"][wildcards.model]["modalities"],
    script:
        "../scripts/explain_model.py"


rule explain_plots:
    input:
        features=rules.explain_model.output.features,
        modalities=rules.explain_model.output.modalities,
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        loci=rules.loci_model.output.loci,
        truth=optional(config["evaluate"]["truth"]),
    output:
        genome=report(
            "results/models/{model}/explanations/genome.png",
            caption="../report/explain_genome.rst",
            category="Explanations",
            labels={"model": "{model}", "figure": "genome"},
        ),
        genome_pdf="results/models/{model}/explanations/genome.pdf",
        top=report(
            "results/models/{model}/explanations/top.png",
            caption="../report/explain_top.rst",
            category="Explanations",
            labels={"model": "{model}", "figure": "top features"},
        ),
        top_pdf="results/models/{model}/explanations/top.pdf",
    log:
        "results/logs/explain_plots/{model}.log",
    benchmark:
        "results/benchmarks/explain_plots/{model}.tsv"
    wildcard_constraints:
        model=one_of(EXPLAINED),
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=code_of("explain_plots"),
        settings=config_subset("loci", "chromosomes"),
    script:
        "../scripts/explain_plots.py"


rule explain_samples:
    input:
        unpack(explain_files),
    output:
        pages="results/private/explanations/{model}/explanations.pdf",
        features="results/private/explanations/{model}/features.tsv",
    log:
        "results/logs/explain_samples/{model}.log",
    benchmark:
        "results/benchmarks/explain_samples/{model}.tsv"
    wildcard_constraints:
        model=one_of(EXPLAINED_SAMPLES),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000 + explained_images_mb(EXPLAINED), table=20, cohort=20),
        runtime=grows(120),
        gpu=1,
    params:
        code=code_of("explain_samples"),
        settings=EXPLAIN_SETTINGS,
        attributions=attribution_methods,
        private=lambda wildcards: block("explain")["private"],
        names=lambda wildcards: config["models"][wildcards.model]["modalities"],
    script:
        "../scripts/explain_samples.py"


EXPLANATIONS = [
    *expand(rules.explain_model.output, model=EXPLAINED),
    *expand(rules.explain_plots.output, model=EXPLAINED),
    *PRIVATE_EXPLANATIONS,
]


rule explain:
    input:
        lambda wildcards: exit_on_user_error(config_explain.require, EXPLANATIONS),
    localrule: True
