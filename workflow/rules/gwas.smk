# Exact linear regression of every feature on every variant, in one pass per chromosome.


def qc_table(wildcards) -> list[str]:
    """The array's quality control; other genotypes (gwas.genotypes) are filtered among the tested people alone."""
    if config["gwas"]["genotypes"] is not None:
        return []
    return expand(rules.genotypes_variants.output.variants, chrom=wildcards.chrom)


rule gwas_chromosome:
    input:
        unpack(tested),
        variants=qc_table,
        phenotypes=MODEL + "/phenotypes.parquet",
        covariates=MODEL + "/covariates.parquet",
        code=library("gwas"),
    output:
        gwas=ensure(MODEL + "/gwas/chr{chrom}.parquet", non_empty=True),
        summary=MODEL + "/gwas/chr{chrom}.summary.parquet",
    log:
        "results/logs/gwas_chromosome/{model}.chr{chrom}.log",
    benchmark:
        "results/benchmarks/gwas_chromosome/{model}.chr{chrom}.tsv"
    resources:
        mem_mb=4000,
        runtime=480,
    params:
        settings=stage("gwas", "genotypes.array"),
    script:
        "../scripts/gwas_chromosome.py"


rule gwas:
    input:
        expand(rules.gwas_chromosome.output, model=MODELS, chrom=CHROMOSOMES),
    localrule: True
