# Gene expression of people, on a log scale; variable genes and z-scores are fitted in training.


rule expression:
    input:
        unpack(expressed),
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
        code=library("expression", script="expression"),
        settings=stage("expression"),
    script:
        "../scripts/expression.py"
