# Covariates as a modality of the contrast, raw. Their table is an input here and of no other rule before training.


rule covariates:
    input:
        unpack(named_covariates),
        cohort=rules.samples.output.cohort,
    output:
        covariates="results/modalities/covariates.h5ad",
    log:
        "results/logs/covariates/covariates.log",
    benchmark:
        "results/benchmarks/covariates/covariates.tsv"
    resources:
        mem_mb=grows(2000, covariates=10, pcs=10),
        runtime=grows(20),
    params:
        code=library("covariates", script="covariates"),
        settings=stage("covariates"),
    script:
        "../scripts/covariates.py"
