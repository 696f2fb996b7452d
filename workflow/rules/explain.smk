# What networks look at: attributions of the contrastive loss to genetic features, over people and, if asked for, of single ones.


rule explain_model:
    input:
        unpack(explaining),
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
        mem_mb=grows(8000 + explaining_images(), table=20, cohort=20),
        runtime=grows(120),
        gpu=1,
    params:
        code=library("explain.explain", "explained", script="explain_model"),
        settings=of_explanations,
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
        code=library("explain.genome", "explain.top", script="explain_plots"),
        settings=stage("loci", "genotypes.chromosomes"),
    script:
        "../scripts/explain_plots.py"


rule explain_people:
    input:
        unpack(explaining),
    output:
        pages="results/private/explanations/{model}/explanations.pdf",
        features="results/private/explanations/{model}/features.tsv",
    log:
        "results/logs/explain_people/{model}.log",
    benchmark:
        "results/benchmarks/explain_people/{model}.tsv"
    wildcard_constraints:
        model=one_of(SHOWN),
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000 + explaining_images(), table=20, cohort=20),
        runtime=grows(120),
        gpu=1,
    params:
        code=library("explain.persons", "explained", script="explain_people"),
        settings=of_explanations,
        private=lambda wildcards: block("explain")["private"],
        names=lambda wildcards: config["models"][wildcards.model]["modalities"],
    script:
        "../scripts/explain_people.py"


EXPLANATIONS = [
    *expand(rules.explain_model.output, model=EXPLAINED),
    *expand(rules.explain_plots.output, model=EXPLAINED),
    *PRIVATE_EXPLAINED,
]


rule explain:
    input:
        lambda wildcards: told(contigwas_explained.require, EXPLANATIONS),
    localrule: True
