# GWAS: exact linear regression of every feature on every variant, in one pass per chromosome.


rule gwas_chromosome:
    input:
        unpack(gwas_genotypes),
        variants=checked_variants,
        offsets=loco_predictions,
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
    output:
        gwas=ensure("results/models/{model}/gwas/chr{chrom}.parquet", non_empty=True),
        summary="results/models/{model}/gwas/chr{chrom}.summary.parquet",
        features=directory("results/models/{model}/gwas/chr{chrom}.features"),
    log:
        "results/logs/gwas_chromosome/{model}.chr{chrom}.log",
    benchmark:
        "results/benchmarks/gwas_chromosome/{model}.chr{chrom}.tsv"
    threads: 4
    resources:
        mem_mb=grows(4000, phenotypes=25, covariates=25),
        runtime=grows(60, genotypes=0.02),
        gpu=0,
    params:
        code=code_of("gwas_chromosome"),
        settings=config_subset("gwas", "genotypes.build"),
    script:
        "../scripts/gwas_chromosome.py"


rule gwas:
    input:
        expand(rules.gwas_chromosome.output, model=MODELS, chrom=CHROMOSOMES),
    localrule: True
