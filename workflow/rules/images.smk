# Photographs or volumes decoded once: cropped, resized, measured, and laid into one array on disk.


rule images:
    input:
        table=lambda wildcards: block("images")["table"],
        cohort=rules.samples.output.cohort,
    output:
        images="results/images/images.npy",
        table="results/images/images.parquet",
    log:
        "results/logs/images/images.log",
    benchmark:
        "results/benchmarks/images/images.tsv"
    threads: config["math_threads"]
    resources:
        mem_mb=grows(8000),
        runtime=grows(60, table=60),
    params:
        code=library("images", script="images"),
        settings=stage("images"),
        private="results/private/images_dropped.tsv",
    script:
        "../scripts/images.py"
