# The cohort: candidate samples of all inputs, exclusions, families, folds, and the samples of the GWAS.


rule samples_candidates:
    input:
        unpack(candidate_files),
    output:
        candidates="results/samples/candidates.tsv",
    log:
        "results/logs/samples_candidates/samples_candidates.log",
    benchmark:
        "results/benchmarks/samples_candidates/samples_candidates.tsv"
    resources:
        mem_mb=grows(2000, genotypes=5, exome=5),
        runtime=grows(20, genotypes=0.1, exome=0.1),
    params:
        code=code_of("samples_candidates"),
        withdrawn=content_digest(config["samples"]["withdrawn"]),
    script:
        "../scripts/samples_candidates.py"


rule samples:
    input:
        unpack(ancestry),
        candidates=rules.samples_candidates.output.candidates,
        samples="results/genotypes/samples.parquet",
        kinship="results/genotypes/kinship.parquet",
    output:
        cohort="results/samples/cohort.tsv",
    log:
        "results/logs/samples/samples.log",
    benchmark:
        "results/benchmarks/samples/samples.tsv"
    resources:
        mem_mb=grows(2000, candidates=100),
        runtime=grows(20, candidates=1),
    params:
        code=code_of("samples"),
        settings=config_subset("samples.folds", "samples.max_kinship", "seed"),
        ancestry=config_settings.ordered(config["genotypes"]["ancestry"]),
    script:
        "../scripts/samples.py"
