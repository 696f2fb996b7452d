# Every k-th SNP of the array (or a list, or the pruned ones) as a matrix of people and variants, raw.


rule snps:
    input:
        unpack(array),
        variants=expand(rules.genotypes_variants.output.variants, chrom=AUTOSOMES),
        pruned=pruned,
        list=lambda wildcards: optional(block("snps")["list"]),
        cohort=rules.samples.output.cohort,
    output:
        snps="results/modalities/snps.h5ad",
    log:
        "results/logs/snps/snps.log",
    benchmark:
        "results/benchmarks/snps/snps.tsv"
    resources:
        mem_mb=grows(2000, cohort=200),
        runtime=grows(60, genotypes=0.01),
    params:
        code=library("snps", script="snps"),
        settings=stage("snps", "genotypes.array", "autosomes"),
    script:
        "../scripts/snps.py"
