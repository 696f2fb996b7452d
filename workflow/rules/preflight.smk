# Looks at every input and at the machine before a run. No output: it always runs, and no lock stops it.


rule preflight:
    log:
        ".snakemake/preflight.log",
    localrule: True
    params:
        settings=contigwas_config.ordered(config),
        gpus=workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else 0,
        local=lambda wildcards: workflow.local_exec,
    script:
        "../scripts/preflight.py"
