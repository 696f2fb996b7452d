# Polygenic scores from PGS Catalog scoring files, matched by named alleles.


rule pgs:
    input:
        unpack(array),
        scores=scores,
        variants=expand(rules.genotypes_variants.output.variants, chrom=AUTOSOMES),
        cohort=rules.samples.output.cohort,
        code=library("pgs"),
    output:
        pgs="results/modalities/pgs.h5ad",
        matching="results/modalities/pgs_matching.tsv",
    log:
        "results/logs/pgs/pgs.log",
    benchmark:
        "results/benchmarks/pgs/pgs.tsv"
    conda:
        "../../envs/contigwas.yaml"
    threads: config["math_threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=stage("pgs", "genotypes.array", "autosomes", "genotypes.build", "math_threads"),
    script:
        "../scripts/pgs.py"
