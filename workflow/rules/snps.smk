# The SNP matrix (samples x variants): every k-th SNP of the array, a list, or the pruned variants.


rule snps:
    input:
        unpack(array_genotypes),
        variants=expand(rules.genotypes_variants.output.variants, chrom=AUTOSOMES),
        pruned=pruned_variants,
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
        code=code_of("snps"),
        settings=config_subset("snps", "autosomes"),
    script:
        "../scripts/snps.py"
