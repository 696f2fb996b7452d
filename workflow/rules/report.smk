# The report: one self-contained HTML page.


REPORTED_EXPLANATIONS = (
    "features.parquet",
    "modalities.tsv",
    "completeness.tsv",
    "genome.png",
    "top.png",
)
# The report shows the config without the keys that change nothing in it: how training runs, and what is exported.
REPORT_CONFIG = {key: value for key, value in config.items() if key not in ("pretrain", "export")}
REPORT_CONFIG["samples"] = {
    key: value for key, value in config["samples"].items() if key != "retrain_on_withdrawal"
}
REPORT_CONFIG = config_settings.ordered(REPORT_CONFIG)


CAPTIONS = (
    "manhattan",
    "overview",
    "regional",
    "qq",
    "training",
    "decoded",
    "loci",
    "followup",
    "call_rate",
    "hwe",
    "pcs",
    "kinship",
    "matching",
    "evaluation",
    *(["explain_genome", "explain_top"] if EXPLAINED else []),
    *(["map"] if WITH_EMBEDDINGS else []),
    *TASKS,
)


rule report:
    input:
        candidates=rules.samples_candidates.output.candidates,
        cohort=rules.samples.output.cohort,
        variants=expand(rules.genotypes_variants.output.variants, chrom=CHROMOSOMES),
        phenotypes=expand("results/models/{model}/phenotypes.parquet", model=MODELS),
        loci=expand(rules.loci_model.output.loci, model=MODELS),
        followup=expand(rules.followup_model.output.followup, model=MODELS),
        points=expand(rules.plots_points.output.points, model=MODELS),
        manhattan=expand(rules.plots_manhattan.output.png, model=MODELS),
        overview=expand(rules.plots_overview.output.png, model=MODELS),
        regional=expand(rules.plots_regional.output.folder, model=MODELS),
        qq=expand(rules.plots_qq.output.png, model=MODELS),
        training=expand(rules.plots_training.output.png, model=TRAINED),
        decoded=expand(rules.plots_decoded.output.png, model=WITH_DECODER),
        map=expand("results/models/{model}/plots/map.png", model=WITH_EMBEDDINGS),
        images=[rules.images.output.table] if "images" in config else [],
        call_rate=rules.plots_genotypes.output.call_rate,
        hwe=rules.plots_genotypes.output.hwe,
        pcs=rules.plots_genotypes.output.pcs,
        kinship=rules.plots_genotypes.output.kinship,
        matching=[rules.pgs.output.matching] if "pgs" in config else [],
        matches=[rules.plots_matching.output.png] if "pgs" in config else [],
        burden=[rules.burden.output.burden] if "burden" in config else [],
        explanations=expand(
            "results/models/{model}/explanations/{file}",
            model=EXPLAINED,
            file=REPORTED_EXPLANATIONS,
        ),
        downstream=[path for path in DOWNSTREAM_FILES if path.endswith((".tsv", ".png"))],
        evaluation=[path for path in rules.evaluate.output if path.endswith(".tsv")],
        figure=rules.evaluate.output.png,
    output:
        page="results/report.html",
    log:
        "results/logs/report/report.log",
    benchmark:
        "results/benchmarks/report/report.tsv"
    resources:
        mem_mb=grows(4000),
        runtime=grows(20),
    params:
        code=code_of("report"),
        captions={
            name: Path(workflow.source_path(f"../report/{name}.rst")).read_text()
            for name in CAPTIONS
        },
        config=REPORT_CONFIG,
        models=MODELS,
        trained=TRAINED,
        drawn=WITH_DECODER,
        mapped=WITH_EMBEDDINGS,
        explained=EXPLAINED,
        tasks=[[model, task, config["downstream"][task]["task"]] for model, task in DOWNSTREAM],
        chromosomes=CHROMOSOMES,
    script:
        "../scripts/report.py"
