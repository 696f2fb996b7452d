# Covariates as a modality. No other rule before training reads their table.


rule covariates:
    input:
        unpack(covariate_files),
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
        code=code_of("covariates"),
        settings=config_subset("covariates"),
    script:
        "../scripts/covariates.py"
