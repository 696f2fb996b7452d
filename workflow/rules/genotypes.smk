# Quality control of the array genotypes, genetic principal components, and kinship.


rule genotypes_variants:
    input:
        unpack(array_genotypes),
        candidates=rules.samples_candidates.output.candidates,
    output:
        variants=ensure("results/genotypes/variants/chr{chrom}.parquet", non_empty=True),
        missing="results/genotypes/missing/chr{chrom}.parquet",
    log:
        "results/logs/genotypes_variants/chr{chrom}.log",
    benchmark:
        "results/benchmarks/genotypes_variants/chr{chrom}.tsv"
    resources:
        mem_mb=grows(2000, genotyped_samples=200),
        runtime=grows(60, genotypes=0.03),
    params:
        code=code_of("genotypes_variants"),
        settings=config_subset(
            "genotypes.qc.call_rate",
            "genotypes.qc.maf",
            "genotypes.qc.hwe",
            "genotypes.qc.hwe_midp",
            "genotypes.qc.info",
            "genotypes.build",
        ),
    script:
        "../scripts/genotypes_variants.py"


rule genotypes_samples:
    input:
        missing=expand(rules.genotypes_variants.output.missing, chrom=AUTOSOMES),
        x=expand(
            rules.genotypes_variants.output.missing,
            chrom=[one for one in CHROMOSOMES if one == "X"],
        ),
    output:
        samples="results/genotypes/samples.parquet",
    log:
        "results/logs/genotypes_samples/genotypes_samples.log",
    benchmark:
        "results/benchmarks/genotypes_samples/genotypes_samples.tsv"
    resources:
        mem_mb=grows(2000, missing=20),
        runtime=grows(30),
    params:
        code=code_of("genotypes_samples"),
        settings=config_subset(
            "genotypes.qc.sample_call_rate",
            "genotypes.qc.heterozygosity",
            "genotypes.qc.sex_check",
            "genotypes.qc.max_female_xf",
            "genotypes.qc.min_male_xf",
        ),
    script:
        "../scripts/genotypes_samples.py"


rule genotypes_prune:
    input:
        unpack(array_genotypes),
        variants=rules.genotypes_variants.output.variants,
        samples=rules.genotypes_samples.output.samples,
    output:
        pruned="results/genotypes/pruned/chr{chrom}.parquet",
    log:
        "results/logs/genotypes_prune/chr{chrom}.log",
    benchmark:
        "results/benchmarks/genotypes_prune/chr{chrom}.tsv"
    resources:
        mem_mb=grows(2000, genotyped_samples=200),
        runtime=grows(60, genotypes=0.03),
    params:
        code=code_of("genotypes_prune"),
        settings=config_subset("genotypes.prune", "genotypes.build"),
    script:
        "../scripts/genotypes_prune.py"


if config["genotypes"]["kinship"]:

    rule genotypes_kinship_external:
        input:
            kinship=config["genotypes"]["kinship"],
            samples=rules.genotypes_samples.output.samples,
        output:
            kinship="results/genotypes/kinship.parquet",
        log:
            "results/logs/genotypes_kinship_external/genotypes_kinship_external.log",
        benchmark:
            "results/benchmarks/genotypes_kinship_external/genotypes_kinship_external.tsv"
        resources:
            mem_mb=grows(2000, kinship=20),
            runtime=grows(30),
        params:
            code=code_of("genotypes_kinship_external"),
            settings=config_subset("samples.max_kinship"),
        script:
            "../scripts/genotypes_kinship_external.py"

else:

    rule genotypes_kinship:
        input:
            unpack(array_genotypes),
            pruned=expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES),
            samples=rules.genotypes_samples.output.samples,
        output:
            kinship="results/genotypes/kinship.parquet",
        log:
            "results/logs/genotypes_kinship/genotypes_kinship.log",
        benchmark:
            "results/benchmarks/genotypes_kinship/genotypes_kinship.tsv"
        threads: config["math_threads"]
        resources:
            mem_mb=grows(8000, samples=2000),
            runtime=grows(240, genotypes=0.1),
        params:
            code=code_of("genotypes_kinship"),
            settings=config_subset("autosomes", "samples.max_kinship", "math_threads"),
        script:
            "../scripts/genotypes_kinship.py"


if config["genotypes"]["pcs_file"]:

    rule genotypes_pcs_external:
        input:
            pcs=config["genotypes"]["pcs_file"],
            samples=rules.genotypes_samples.output.samples,
        output:
            pcs="results/genotypes/pcs.parquet",
        log:
            "results/logs/genotypes_pcs_external/genotypes_pcs_external.log",
        benchmark:
            "results/benchmarks/genotypes_pcs_external/genotypes_pcs_external.tsv"
        resources:
            mem_mb=grows(2000, pcs=30),
            runtime=grows(30),
        params:
            code=code_of("genotypes_pcs_external"),
            settings=config_subset("genotypes.pcs"),
        script:
            "../scripts/genotypes_pcs_external.py"

else:

    rule genotypes_pcs:
        input:
            unpack(array_genotypes),
            pruned=expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES),
            samples=rules.genotypes_samples.output.samples,
            kinship="results/genotypes/kinship.parquet",
        output:
            pcs="results/genotypes/pcs.parquet",
        log:
            "results/logs/genotypes_pcs/genotypes_pcs.log",
        benchmark:
            "results/benchmarks/genotypes_pcs/genotypes_pcs.tsv"
        threads: config["math_threads"]
        resources:
            mem_mb=grows(4000, samples=2000),
            runtime=grows(120, genotypes=0.05),
        params:
            code=code_of("genotypes_pcs"),
            settings=config_subset("autosomes", "genotypes.pcs", "seed", "math_threads"),
        script:
            "../scripts/genotypes_pcs.py"


rule genotypes:
    input:
        expand(rules.genotypes_variants.output.variants, chrom=CHROMOSOMES),
        rules.genotypes_samples.output,
        "results/genotypes/kinship.parquet",
        "results/genotypes/pcs.parquet",
    localrule: True
