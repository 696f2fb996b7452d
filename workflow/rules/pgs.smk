# Polygenic scores from scoring files, which are matched by alleles. The files of pgs.download are downloaded first.


rule pgs_download:
    output:
        score="resources/pgs/{score}_hmPOS_{build}.txt.gz",
    log:
        "results/logs/pgs_download/{score}.{build}.log",
    benchmark:
        "results/benchmarks/pgs_download/{score}.{build}.tsv"
    wildcard_constraints:
        score=r"PGS\d{6}",
        build=config["genotypes"]["build"],
    localrule: True
    resources:
        mem_mb=grows(1000),
        runtime=grows(60),
    params:
        code=code_of("pgs_download"),
        settings=config_subset("pgs.catalog", "genotypes.build"),
    script:
        "../scripts/pgs_download.py"


rule pgs:
    input:
        unpack(score_genotypes),
        scores=scoring_files,
        variants=expand(rules.genotypes_variants.output.variants, chrom=AUTOSOMES),
        cohort=rules.samples.output.cohort,
    output:
        pgs="results/modalities/pgs.h5ad",
        matching="results/modalities/pgs_matching.tsv",
    log:
        "results/logs/pgs/pgs.log",
    benchmark:
        "results/benchmarks/pgs/pgs.tsv"
    threads: config["math_threads"]
    resources:
        mem_mb=grows(4000, cohort=400),
        runtime=grows(60, genotypes=0.02, scores=0.1),
    params:
        code=code_of("pgs"),
        settings=config_subset("pgs", "autosomes", "genotypes.build", "math_threads"),
    script:
        "../scripts/pgs.py"
