# Figures of the GWAS, the loci, the genotypes, the training, the reconstructed images, and a montage of images.

WITH_DECODER = [
    name
    for name in TRAINED
    if config_models.methods()[config["models"][name]["method"]].has_decoder
]


rule plots_manhattan:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        loci=rules.loci_model.output.loci,
        truth=optional(config["evaluate"]["truth"]),
    output:
        png=report(
            "results/models/{model}/plots/manhattan.png",
            caption="../report/manhattan.rst",
            category="Manhattan",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/manhattan.pdf",
    log:
        "results/logs/plots_manhattan/{model}.log",
    benchmark:
        "results/benchmarks/plots_manhattan/{model}.tsv"
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=code_of("plots_manhattan"),
        settings=config_subset("loci", "chromosomes"),
    script:
        "../scripts/plots_manhattan.py"


# The points of the interactive Manhattan plots in the report.
rule plots_points:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        summaries=expand(
            rules.gwas_chromosome.output.summary, chrom=CHROMOSOMES, allow_missing=True
        ),
    output:
        points="results/models/{model}/plots/points.parquet",
    log:
        "results/logs/plots_points/{model}.log",
    benchmark:
        "results/benchmarks/plots_points/{model}.tsv"
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=code_of("plots_points"),
        settings=config_subset("report.features", "loci.test", "loci.p1", "chromosomes"),
    script:
        "../scripts/plots_points.py"


rule plots_overview:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        loci=rules.loci_model.output.loci,
    output:
        png=report(
            "results/models/{model}/plots/overview.png",
            caption="../report/overview.rst",
            category="Overview",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/overview.pdf",
    log:
        "results/logs/plots_overview/{model}.log",
    benchmark:
        "results/benchmarks/plots_overview/{model}.tsv"
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=code_of("plots_overview"),
        settings=config_subset("loci", "chromosomes"),
    script:
        "../scripts/plots_overview.py"


rule plots_features:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        summaries=expand(
            rules.gwas_chromosome.output.summary, chrom=CHROMOSOMES, allow_missing=True
        ),
        loci=rules.loci_model.output.loci,
    output:
        folder=report(
            directory("results/models/{model}/plots/features"),
            patterns=["{name}.png"],
            caption="../report/features.rst",
            category="Features",
            labels={"model": "{model}", "feature": "{name}"},
        ),
    log:
        "results/logs/plots_features/{model}.log",
    benchmark:
        "results/benchmarks/plots_features/{model}.tsv"
    resources:
        mem_mb=grows(4000),
        runtime=grows(120),
    params:
        code=code_of("plots_features"),
        settings=config_subset("plots.features", "loci.p1", "chromosomes"),
    script:
        "../scripts/plots_features.py"


rule plots_regional:
    input:
        unpack(gwas_genotypes),
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        loci=rules.loci_model.output.loci,
        cohort=rules.samples.output.cohort,
        genes=optional(config["loci"]["genes"]),
        recombination=recombination_maps,
    output:
        folder=report(
            directory("results/models/{model}/plots/regional"),
            patterns=["{name}.png"],
            caption="../report/regional.rst",
            category="Regions",
            labels={"model": "{model}", "locus": "{name}"},
        ),
    log:
        "results/logs/plots_regional/{model}.log",
    benchmark:
        "results/benchmarks/plots_regional/{model}.tsv"
    resources:
        mem_mb=grows(4000, cohort=100),
        runtime=grows(120),
    params:
        code=code_of("plots_regional"),
        settings=config_subset(
            "plots.regional_kb",
            "plots.recombination",
            "loci.test",
            "loci.genes",
            "loci.genes_build",
            "genotypes.build",
            "chromosomes",
        ),
    script:
        "../scripts/plots_regional.py"


rule plots_qq:
    input:
        summaries=expand(
            rules.gwas_chromosome.output.summary, chrom=CHROMOSOMES, allow_missing=True
        ),
    output:
        png=report(
            "results/models/{model}/plots/qq.png",
            caption="../report/qq.rst",
            category="QQ",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/qq.pdf",
    log:
        "results/logs/plots_qq/{model}.log",
    benchmark:
        "results/benchmarks/plots_qq/{model}.tsv"
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=code_of("plots_qq"),
        settings=config_subset("loci.test"),
    script:
        "../scripts/plots_qq.py"


rule plots_genotypes:
    input:
        variants=expand(rules.genotypes_variants.output.variants, chrom=CHROMOSOMES),
        samples=rules.genotypes_samples.output.samples,
        pcs="results/genotypes/pcs.parquet",
        kinship="results/genotypes/kinship.parquet",
        cohort=rules.samples.output.cohort,
    output:
        call_rate=report(
            "results/genotypes/plots/call_rate.png",
            caption="../report/call_rate.rst",
            category="Genotypes",
            labels={"figure": "call rate"},
        ),
        call_rate_pdf="results/genotypes/plots/call_rate.pdf",
        hwe=report(
            "results/genotypes/plots/hwe.png",
            caption="../report/hwe.rst",
            category="Genotypes",
            labels={"figure": "Hardy-Weinberg"},
        ),
        hwe_pdf="results/genotypes/plots/hwe.pdf",
        pcs=report(
            "results/genotypes/plots/pcs.png",
            caption="../report/pcs.rst",
            category="Genotypes",
            labels={"figure": "components"},
        ),
        pcs_pdf="results/genotypes/plots/pcs.pdf",
        kinship=report(
            "results/genotypes/plots/kinship.png",
            caption="../report/kinship.rst",
            category="Genotypes",
            labels={"figure": "kinship"},
        ),
        kinship_pdf="results/genotypes/plots/kinship.pdf",
    log:
        "results/logs/plots_genotypes/plots_genotypes.log",
    benchmark:
        "results/benchmarks/plots_genotypes/plots_genotypes.tsv"
    resources:
        mem_mb=grows(4000, pcs=20),
        runtime=grows(30),
    params:
        code=code_of("plots_genotypes"),
        settings=config_subset(
            "genotypes.qc.call_rate",
            "genotypes.qc.sample_call_rate",
            "genotypes.qc.hwe",
            "samples.max_kinship",
        ),
    script:
        "../scripts/plots_genotypes.py"


rule plots_matching:
    input:
        matching="results/modalities/pgs_matching.tsv",
    output:
        png=report(
            "results/modalities/plots/pgs_matching.png",
            caption="../report/matching.rst",
            category="Polygenic scores",
        ),
        pdf="results/modalities/plots/pgs_matching.pdf",
    log:
        "results/logs/plots_matching/plots_matching.log",
    benchmark:
        "results/benchmarks/plots_matching/plots_matching.tsv"
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        code=code_of("plots_matching"),
        settings=config_subset("pgs.min_overlap"),
    script:
        "../scripts/plots_matching.py"


rule plots_training:
    input:
        histories=lambda wildcards: expand(
            rules.pretrain_fold.output.history,
            model=wildcards.model,
            fold=folds(wildcards.model),
        ),
    output:
        png=report(
            "results/models/{model}/plots/training.png",
            caption="../report/training.rst",
            category="Training",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/training.pdf",
    log:
        "results/logs/plots_training/{model}.log",
    benchmark:
        "results/benchmarks/plots_training/{model}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=code_of("plots_training"),
    script:
        "../scripts/plots_training.py"


rule plots_decoded:
    input:
        checkpoint=lambda wildcards: expand(
            rules.pretrain_fold.output.checkpoint, model=wildcards.model, fold=0
        ),
        pca="results/models/{model}/pca.h5ad",
        images=rules.images.output.images,
        table=rules.images.output.table,
        cohort=rules.samples.output.cohort,
    output:
        png=report(
            "results/models/{model}/plots/decoded.png",
            caption="../report/decoded.rst",
            category="Drawn images",
            labels={"model": "{model}"},
        ),
        pdf="results/models/{model}/plots/decoded.pdf",
        samples="results/private/decoded/{model}/reconstructions.png",
    log:
        "results/logs/plots_decoded/{model}.log",
    benchmark:
        "results/benchmarks/plots_decoded/{model}.tsv"
    wildcard_constraints:
        model=one_of(WITH_DECODER),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        code=code_of("plots_decoded"),
        settings=config_subset("seed", "math_threads", "embed", "model.variational?"),
    script:
        "../scripts/plots_decoded.py"


rule plots_montage:
    input:
        images=rules.images.output.images,
        table=rules.images.output.table,
    output:
        png="results/private/montage.png",
    log:
        "results/logs/plots_montage/plots_montage.log",
    benchmark:
        "results/benchmarks/plots_montage/plots_montage.tsv"
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=code_of("plots_montage"),
        settings=config_subset("seed"),
    script:
        "../scripts/plots_montage.py"


rule plots:
    input:
        expand(rules.plots_manhattan.output.png, model=MODELS),
        expand(rules.plots_overview.output.png, model=MODELS),
        expand(rules.plots_features.output.folder, model=MODELS),
        expand(rules.plots_regional.output.folder, model=MODELS),
        expand(rules.plots_qq.output.png, model=MODELS),
        expand(rules.plots_training.output.png, model=TRAINED),
        expand(rules.plots_decoded.output, model=WITH_DECODER),
        expand(rules.plots_map.output.png, model=WITH_EMBEDDINGS),
        [rules.plots_montage.output.png] if "images" in config else [],
        rules.plots_genotypes.output,
        rules.plots_matching.output if "pgs" in config else [],
    localrule: True
