# Who is in the study: everyone that an input names, then those kept, their folds, and who is tested.


rule samples_candidates:
    input:
        unpack(sources_of_people),
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
        code=library("samples.candidates", script="samples_candidates"),
        withdrawn=content(config["samples"]["withdrawn"]),
    script:
        "../scripts/samples_candidates.py"


rule samples:
    input:
        unpack(ancestry),
        candidates=rules.samples_candidates.output.candidates,
        people="results/genotypes/people.parquet",
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
        code=library("samples.cohort", script="samples"),
        settings=stage("samples.folds", "samples.max_kinship", "seed"),
        ancestry=contigwas_config.ordered(config["genotypes"]["ancestry"]),
    script:
        "../scripts/samples.py"
