# Quality control of the array genotypes, genetic principal components, and related pairs.


rule genotypes_variants:
    input:
        unpack(array),
        candidates=rules.samples_candidates.output.candidates,
    output:
        variants=ensure("results/genotypes/variants/chr{chrom}.parquet", non_empty=True),
        missing="results/genotypes/missing/chr{chrom}.parquet",
    log:
        "results/logs/genotypes_variants/chr{chrom}.log",
    benchmark:
        "results/benchmarks/genotypes_variants/chr{chrom}.tsv"
    resources:
        mem_mb=grows(2000, genotyped_people=200),
        runtime=grows(60, genotypes=0.03),
    params:
        code=library("genotypes.qc", script="genotypes_variants"),
        settings=stage(
            "genotypes.qc.call_rate",
            "genotypes.qc.maf",
            "genotypes.qc.hwe",
            "genotypes.qc.hwe_midp",
            "genotypes.qc.info",
            "genotypes.array",
            "genotypes.build",
        ),
    script:
        "../scripts/genotypes_variants.py"


rule genotypes_people:
    input:
        missing=expand(rules.genotypes_variants.output.missing, chrom=AUTOSOMES),
        x=expand(
            rules.genotypes_variants.output.missing,
            chrom=[one for one in CHROMOSOMES if one == "X"],
        ),
    output:
        people="results/genotypes/people.parquet",
    log:
        "results/logs/genotypes_people/genotypes_people.log",
    benchmark:
        "results/benchmarks/genotypes_people/genotypes_people.tsv"
    resources:
        mem_mb=grows(2000, missing=20),
        runtime=grows(30),
    params:
        code=library("genotypes.people", script="genotypes_people"),
        settings=stage(
            "genotypes.qc.person_call_rate",
            "genotypes.qc.heterozygosity",
            "genotypes.qc.sex_check",
            "genotypes.qc.female_f",
            "genotypes.qc.male_f",
        ),
    script:
        "../scripts/genotypes_people.py"


rule genotypes_prune:
    input:
        unpack(array),
        variants=rules.genotypes_variants.output.variants,
        people=rules.genotypes_people.output.people,
    output:
        pruned="results/genotypes/pruned/chr{chrom}.parquet",
    log:
        "results/logs/genotypes_prune/chr{chrom}.log",
    benchmark:
        "results/benchmarks/genotypes_prune/chr{chrom}.tsv"
    resources:
        mem_mb=grows(2000, genotyped_people=200),
        runtime=grows(60, genotypes=0.03),
    params:
        code=library("genotypes.pcs", script="genotypes_prune"),
        settings=stage("genotypes.prune", "genotypes.array", "genotypes.build"),
    script:
        "../scripts/genotypes_prune.py"


if config["genotypes"]["kinship"]:

    rule genotypes_kinship_brought:
        input:
            kinship=config["genotypes"]["kinship"],
            people=rules.genotypes_people.output.people,
        output:
            kinship="results/genotypes/kinship.parquet",
        log:
            "results/logs/genotypes_kinship_brought/genotypes_kinship_brought.log",
        benchmark:
            "results/benchmarks/genotypes_kinship_brought/genotypes_kinship_brought.tsv"
        resources:
            mem_mb=grows(2000, kinship=20),
            runtime=grows(30),
        params:
            code=library("genotypes.brought", script="genotypes_kinship_brought"),
            settings=stage("samples.max_kinship"),
        script:
            "../scripts/genotypes_kinship_brought.py"

else:

    rule genotypes_kinship:
        input:
            unpack(array),
            pruned=expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES),
            people=rules.genotypes_people.output.people,
        output:
            kinship="results/genotypes/kinship.parquet",
        log:
            "results/logs/genotypes_kinship/genotypes_kinship.log",
        benchmark:
            "results/benchmarks/genotypes_kinship/genotypes_kinship.tsv"
        threads: config["math_threads"]
        resources:
            mem_mb=grows(8000, people=2000),
            runtime=grows(240, genotypes=0.1),
        params:
            code=library("genotypes.kinship", script="genotypes_kinship"),
            settings=stage("genotypes.array", "autosomes", "samples.max_kinship", "math_threads"),
        script:
            "../scripts/genotypes_kinship.py"


if config["genotypes"]["pcs_file"]:

    rule genotypes_pcs_brought:
        input:
            pcs=config["genotypes"]["pcs_file"],
            people=rules.genotypes_people.output.people,
        output:
            pcs="results/genotypes/pcs.parquet",
        log:
            "results/logs/genotypes_pcs_brought/genotypes_pcs_brought.log",
        benchmark:
            "results/benchmarks/genotypes_pcs_brought/genotypes_pcs_brought.tsv"
        resources:
            mem_mb=grows(2000, pcs=30),
            runtime=grows(30),
        params:
            code=library("genotypes.brought", script="genotypes_pcs_brought"),
            settings=stage("genotypes.pcs"),
        script:
            "../scripts/genotypes_pcs_brought.py"

else:

    rule genotypes_pcs:
        input:
            unpack(array),
            pruned=expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES),
            people=rules.genotypes_people.output.people,
            kinship="results/genotypes/kinship.parquet",
        output:
            pcs="results/genotypes/pcs.parquet",
        log:
            "results/logs/genotypes_pcs/genotypes_pcs.log",
        benchmark:
            "results/benchmarks/genotypes_pcs/genotypes_pcs.tsv"
        threads: config["math_threads"]
        resources:
            mem_mb=grows(4000, people=2000),
            runtime=grows(120, genotypes=0.05),
        params:
            code=library("genotypes.pcs", script="genotypes_pcs"),
            settings=stage("genotypes.array", "autosomes", "genotypes.pcs", "seed", "math_threads"),
        script:
            "../scripts/genotypes_pcs.py"


rule genotypes:
    input:
        expand(rules.genotypes_variants.output.variants, chrom=CHROMOSOMES),
        rules.genotypes_people.output,
        "results/genotypes/kinship.parquet",
        "results/genotypes/pcs.parquet",
    localrule: True
