# All models side by side; against the truth where it is known.


rule evaluate:
    input:
        unpack(tested),
        loci=expand(rules.loci_model.output.loci, model=MODELS),
        summaries=expand(rules.gwas_chromosome.output.summary, model=MODELS, chrom=CHROMOSOMES),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=MODELS),
        embeddings=expand(
            "results/models/{model}/embeddings.h5ad", model=[*RECIPES, *EMBEDDED, *APPLIED]
        ),
        truth=optional(config["evaluate"]["truth"]),
        latents=optional(config["evaluate"]["latents"]),
    output:
        models="results/evaluation/models.tsv",
        planted="results/evaluation/planted.tsv",
        probes="results/evaluation/probes.tsv",
        png=report(
            "results/evaluation/models.png",
            caption="../report/evaluation.rst",
            category="Evaluation",
        ),
        pdf="results/evaluation/models.pdf",
    log:
        "results/logs/evaluate/evaluate.log",
    benchmark:
        "results/benchmarks/evaluate/evaluate.tsv"
    conda:
        "../../envs/contigwas.yaml"
    resources:
        mem_mb=grows(4000, embeddings=4),
        runtime=grows(60),
    params:
        code=library("evaluate", script="evaluate"),
        settings=stage(
            "evaluate",
            "genotypes.array",
            "gwas.genotypes",
            "loci.test",
            "math_threads",
            "seed",
        ),
        models=MODELS,
        embedded=[*RECIPES, *EMBEDDED, *APPLIED],
    script:
        "../scripts/evaluate.py"
