# Loci: clumps of significant variants, one row per locus.


rule loci_model:
    input:
        unpack(gwas_genotypes),
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
        cohort=rules.samples.output.cohort,
        genes=optional(config["loci"]["genes"]),
    output:
        loci=report(
            "results/models/{model}/loci.tsv",
            caption="../report/loci.rst",
            category="Loci",
            labels={"model": "{model}"},
        ),
    log:
        "results/logs/loci_model/{model}.log",
    benchmark:
        "results/benchmarks/loci_model/{model}.tsv"
    resources:
        mem_mb=grows(4000, cohort=100),
        runtime=grows(120),
    params:
        code=code_of("loci_model"),
        settings=config_subset(
            "loci",
            "genotypes.build",
            "chromosomes",
        ),
    script:
        "../scripts/loci_model.py"


rule loci:
    input:
        expand(rules.loci_model.output.loci, model=MODELS),
    localrule: True
