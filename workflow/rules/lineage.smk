# What training depends on in place of the files that it reads, which change when somebody withdraws: for every part of
# them its lineage (the files from outside, the settings and the code that it is made of), and that it is there.


rule lineage:
    input:
        origins=origins,
    output:
        lineage="results/lineage/{part}.json",
    log:
        "results/logs/lineage/{part}.log",
    benchmark:
        "results/benchmarks/lineage/{part}.tsv"
    wildcard_constraints:
        part=PART,
    localrule: True
    params:
        made_with=made_with,
        code=library("lineage", script="lineage"),
    script:
        "../scripts/lineage.py"


# Training waits for this and not for the files themselves: while they are made anew, or a run was killed in it, or
# somebody deleted them, they are absent, and Snakemake would train again what depends on absent files.
rule ready:
    input:
        made=made,
    output:
        ready="results/lineage/{part}.ready",
    log:
        "results/logs/ready/{part}.log",
    benchmark:
        "results/benchmarks/ready/{part}.tsv"
    wildcard_constraints:
        part=PART,
    localrule: True
    params:
        code=library("lineage", script="ready"),
    script:
        "../scripts/ready.py"
