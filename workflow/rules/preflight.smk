# Preflight checks of every input and of the machine. The rule has no output, so it always runs, even in a locked folder.


rule preflight:
    log:
        ".snakemake/preflight.log",
    localrule: True
    params:
        settings=config_settings.ordered(config),
        gpus=workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else 0,
        local=lambda wildcards: workflow.local_exec,
    script:
        "../scripts/preflight.py"
