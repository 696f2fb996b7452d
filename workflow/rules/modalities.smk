# Further modalities that are brought as people x features, cut to the cohort.

BROUGHT_MODALITIES = config["modalities"]


rule modalities_brought:
    input:
        table=lambda wildcards: BROUGHT_MODALITIES[wildcards.modality],
        cohort=rules.samples.output.cohort,
    output:
        modality="results/modalities/{modality}.h5ad",
    log:
        "results/logs/modalities_brought/{modality}.log",
    benchmark:
        "results/benchmarks/modalities_brought/{modality}.tsv"
    wildcard_constraints:
        modality=one_of([*BROUGHT_MODALITIES]),
    resources:
        mem_mb=grows(4000, table=10),
        runtime=grows(60),
    params:
        code=library("modalities", script="modalities_brought"),
    script:
        "../scripts/modalities_brought.py"


rule modalities:
    input:
        expand(rules.modalities_brought.output.modality, modality=BROUGHT_MODALITIES),
        [rules.snps.output.snps] if "snps" in config else [],
        [rules.pgs.output.pgs] if "pgs" in config else [],
        [rules.burden.output.burden] if "burden" in config else [],
        [rules.covariates.output.covariates] if "covariates" in config else [],
        [rules.expression.output.expression] if "expression" in config else [],
    localrule: True
