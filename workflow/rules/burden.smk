# Carriers of rare qualifying alleles, gene by gene and mask by mask.


rule burden:
    input:
        unpack(exome),
        cohort=rules.samples.output.cohort,
        code=library("burden"),
    output:
        burden="results/modalities/burden.h5ad",
    log:
        "results/logs/burden/burden.log",
    benchmark:
        "results/benchmarks/burden/burden.tsv"
    conda:
        "../../envs/contigwas.yaml"
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=stage("burden", "autosomes"),
    script:
        "../scripts/burden.py"
