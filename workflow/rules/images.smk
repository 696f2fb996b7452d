# Decoding of photographs or volumes: they are cropped, resized, measured, and written into one array on disk.


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
        code=code_of("images"),
        settings=config_subset("images"),
        image_files=lambda wildcards: files_listed_in(block("images")["table"], "path"),
        private="results/private/images_dropped.tsv",
    script:
        "../scripts/images.py"
