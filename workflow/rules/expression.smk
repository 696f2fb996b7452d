# Gene expression per sample, on a log scale. Training selects variable genes and standardises them.


rule expression:
    input:
        unpack(expression_files),
        cohort=rules.samples.output.cohort,
    output:
        expression="results/modalities/expression.h5ad",
    log:
        "results/logs/expression/expression.log",
    benchmark:
        "results/benchmarks/expression/expression.tsv"
    resources:
        mem_mb=grows(2000, table=5),
        runtime=grows(20, table=0.02),
    params:
        code=code_of("expression"),
        settings=config_subset("expression"),
    script:
        "../scripts/expression.py"
