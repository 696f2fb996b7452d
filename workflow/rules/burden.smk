# Gene burden: the number of rare qualifying alleles per sample, gene and mask.


rule burden:
    input:
        unpack(exome),
        cohort=rules.samples.output.cohort,
    output:
        burden="results/modalities/burden.h5ad",
    log:
        "results/logs/burden/burden.log",
    benchmark:
        "results/benchmarks/burden/burden.tsv"
    resources:
        mem_mb=grows(4000, cohort=300),
        runtime=grows(60, genotypes=0.02),
    params:
        code=code_of("burden"),
        settings=config_subset("burden", "autosomes"),
    script:
        "../scripts/burden.py"


# Not part of a plain run: snakemake burden_masks.
rule burden_masks:
    input:
        burden=rules.burden.output.burden,
        cohort=rules.samples.output.cohort,
    output:
        bed="results/modalities/burden_masks.bed",
        bim="results/modalities/burden_masks.bim",
        fam="results/modalities/burden_masks.fam",
    log:
        "results/logs/burden_masks/burden_masks.log",
    benchmark:
        "results/benchmarks/burden_masks/burden_masks.tsv"
    resources:
        mem_mb=grows(4000, burden=20),
        runtime=grows(60),
    params:
        code=code_of("burden_masks"),
    script:
        "../scripts/burden_masks.py"
