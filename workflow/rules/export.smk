# Export of results in the formats of other programs. Not part of a plain run: snakemake export.


rule export_gwas_ssf:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
    output:
        folder=directory("results/models/{model}/gwas-ssf"),
    log:
        "results/logs/export_gwas_ssf/{model}.log",
    benchmark:
        "results/benchmarks/export_gwas_ssf/{model}.tsv"
    threads: 4
    resources:
        mem_mb=grows(2000),
        runtime=grows(120, gwas=0.2),
    params:
        code=code_of("export_gwas_ssf"),
        settings=config_subset(
            "export.features", "export.metadata", "genotypes.build", "chromosomes"
        ),
    script:
        "../scripts/export_gwas_ssf.py"


rule export_plink2:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
    output:
        folder=directory("results/models/{model}/plink2"),
    log:
        "results/logs/export_plink2/{model}.log",
    benchmark:
        "results/benchmarks/export_plink2/{model}.tsv"
    threads: 4
    resources:
        mem_mb=grows(2000),
        runtime=grows(120, gwas=0.2),
    params:
        code=code_of("export_plink2"),
        settings=config_subset("export.features", "export.log10_p", "chromosomes"),
    script:
        "../scripts/export_plink2.py"


rule export_ldsc:
    input:
        gwas=expand(rules.gwas_chromosome.output.gwas, chrom=CHROMOSOMES, allow_missing=True),
    output:
        folder=directory("results/models/{model}/ldsc"),
    log:
        "results/logs/export_ldsc/{model}.log",
    benchmark:
        "results/benchmarks/export_ldsc/{model}.tsv"
    threads: 4
    resources:
        mem_mb=grows(2000),
        runtime=grows(120, gwas=0.2),
    params:
        code=code_of("export_ldsc"),
        settings=config_subset("export.features", "chromosomes"),
    script:
        "../scripts/export_ldsc.py"


rule export_phenotypes:
    input:
        phenotypes="results/models/{model}/phenotypes.parquet",
        cohort=rules.samples.output.cohort,
    output:
        table="results/private/{model}.phenotypes.tsv",
    log:
        "results/logs/export_phenotypes/{model}.log",
    benchmark:
        "results/benchmarks/export_phenotypes/{model}.tsv"
    resources:
        mem_mb=grows(4000, phenotypes=20),
        runtime=grows(60),
    params:
        code=code_of("export_phenotypes"),
        settings=config_subset("export.features"),
    script:
        "../scripts/export_phenotypes.py"


EXPORTS = {
    "gwas-ssf": rules.export_gwas_ssf.output.folder,
    "plink2": rules.export_plink2.output.folder,
    "ldsc": rules.export_ldsc.output.folder,
    "phenotypes": rules.export_phenotypes.output.table,
}


rule export:
    input:
        [expand(EXPORTS[form], model=MODELS) for form in config["export"]["formats"]],
    localrule: True
