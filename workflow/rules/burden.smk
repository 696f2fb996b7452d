# Carriers of rare qualifying alleles, gene by gene and mask by mask.


def exome(wildcards) -> dict[str, list[str]]:
    """The exome calls of all chromosomes."""
    return plink(block("burden")["genotypes"], "burden.genotypes")


def gene_file(key: str):
    """An input function: one of the REGENIE files that the burden block names."""
    return lambda wildcards: given(block("burden")[key], f"burden.{key}")


rule burden:
    input:
        unpack(exome),
        annotations=gene_file("annotations"),
        sets=gene_file("sets"),
        cohort=rules.samples.output.cohort,
        code=library("burden"),
    output:
        burden="results/modalities/burden.h5ad",
    log:
        "results/logs/burden/burden.log",
    benchmark:
        "results/benchmarks/burden/burden.tsv"
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=stage("burden", "genotypes.chromosomes"),
    script:
        "../scripts/burden.py"
