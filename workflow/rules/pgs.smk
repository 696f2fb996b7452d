# Polygenic scores from PGS Catalog scoring files, matched by named alleles.

import glob


def scores(wildcards) -> list[str]:
    """The scoring files: those that the demo simulates, or those that the glob of the config finds."""
    pattern = block("pgs")["scores"]
    if own(pattern):
        return [path for path in rules.simulate_cohort.output.scores]
    found = sorted(glob.glob(pattern))
    if not found:
        raise WorkflowError(f"config: pgs.scores is {pattern}, which no file matches: correct it")
    return found


rule pgs:
    input:
        unpack(array),
        scores=scores,
        variants=expand(rules.genotypes_variants.output.variants, chrom=CHROMOSOMES),
        cohort=rules.samples.output.cohort,
        code=library("pgs"),
    output:
        pgs="results/modalities/pgs.h5ad",
        matching="results/modalities/pgs_matching.tsv",
    log:
        "results/logs/pgs/pgs.log",
    benchmark:
        "results/benchmarks/pgs/pgs.tsv"
    threads: config["math_threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=stage(
            "pgs", "genotypes.array", "genotypes.chromosomes", "genotypes.build", "math_threads"
        ),
    script:
        "../scripts/pgs.py"
