# Sensitivity analyses of lead variants: robust standard errors, each sex alone, with and without offsets.


rule followup_model:
    input:
        unpack(gwas_genotypes),
        loci=rules.loci_model.output.loci,
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        phenotypes="results/models/{model}/phenotypes.parquet",
        covariates="results/models/{model}/covariates.parquet",
        offsets=loco_predictions,
    output:
        followup=report(
            "results/models/{model}/followup.tsv",
            caption="../report/followup.rst",
            category="Loci",
            labels={"model": "{model}"},
        ),
    log:
        "results/logs/followup_model/{model}.log",
    benchmark:
        "results/benchmarks/followup_model/{model}.tsv"
    resources:
        mem_mb=grows(4000, phenotypes=20),
        runtime=grows(60),
    params:
        code=code_of("followup_model"),
        settings=config_subset(
            "followup",
            "loci.p1",
            "genotypes.build",
            "chromosomes",
            "gwas.missing",
        ),
    script:
        "../scripts/followup_model.py"


rule followup:
    input:
        expand(rules.followup_model.output.followup, model=MODELS),
    localrule: True
