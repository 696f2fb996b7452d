# User-supplied modalities (samples x features), restricted to the cohort.

EXTERNAL_MODALITIES = config["modalities"]


rule modalities_external:
    input:
        table=lambda wildcards: EXTERNAL_MODALITIES[wildcards.modality],
        cohort=rules.samples.output.cohort,
    output:
        modality="results/modalities/{modality}.h5ad",
    log:
        "results/logs/modalities_external/{modality}.log",
    benchmark:
        "results/benchmarks/modalities_external/{modality}.tsv"
    wildcard_constraints:
        modality=one_of([*EXTERNAL_MODALITIES]),
    resources:
        mem_mb=grows(4000, table=10),
        runtime=grows(60),
    params:
        code=code_of("modalities_external"),
    script:
        "../scripts/modalities_external.py"


rule modalities:
    input:
        expand(rules.modalities_external.output.modality, modality=EXTERNAL_MODALITIES),
        [rules.snps.output.snps] if "snps" in config else [],
        [rules.pgs.output.pgs] if "pgs" in config else [],
        [rules.burden.output.burden] if "burden" in config else [],
        [rules.covariates.output.covariates] if "covariates" in config else [],
        [rules.expression.output.expression] if "expression" in config else [],
    localrule: True
