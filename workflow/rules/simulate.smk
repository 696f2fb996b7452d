# The simulated cohort of the demo with its ground truth, or an artificial pairing of real photographs and genotypes.

if "simulate" in config:
    SIMULATED = config["simulate"]["folder"]
    SIMULATED_CHROMOSOMES = range(1, config["simulate"]["chromosomes"] + 1)
    SIMULATED_SCORES = (
        config["simulate"]["pgs"]["relevant"] + config["simulate"]["pgs"]["irrelevant"]
    )
    LESIONS = "lesions" in config["simulate"]
    GROUPED = "groups" in config["simulate"]

    rule simulate:
        input:
            expand(
                f"{SIMULATED}/{{table}}.tsv",
                table=["truth", "images", *(["expression", "masks"] if LESIONS else [])],
            ),
        localrule: True

    rule simulate_cohort:
        output:
            plink=expand(
                f"{SIMULATED}/{{kind}}/chr{{chrom}}.{{suffix}}",
                kind=["genotypes", "exome"],
                chrom=SIMULATED_CHROMOSOMES,
                suffix=["bed", "bim", "fam"],
            ),
            exome=expand(f"{SIMULATED}/exome/{{table}}.tsv", table=["annotations", "sets"]),
            scores=expand(
                f"{SIMULATED}/pgs/SIM{{number:06d}}.txt.gz", number=range(1, SIMULATED_SCORES + 1)
            ),
            tables=expand(f"{SIMULATED}/{{table}}.tsv", table=["covariates", "truth", "latents"]),
        log:
            "results/logs/simulate_cohort/simulate_cohort.log",
        benchmark:
            "results/benchmarks/simulate_cohort/simulate_cohort.tsv"
        resources:
            mem_mb=grows(4000),
            runtime=grows(30),
        params:
            code=code_of("simulate_cohort"),
            settings=config_subset("simulate", "seed", "genotypes.build"),
        script:
            "../scripts/simulate_cohort.py"

    if LESIONS:

        rule simulate_expression:
            input:
                latents=f"{SIMULATED}/latents.tsv",
            output:
                programmes=f"{SIMULATED}/programmes.tsv",
                expression=f"{SIMULATED}/expression.tsv",
                genes=f"{SIMULATED}/genes.tsv",
            log:
                "results/logs/simulate_expression/simulate_expression.log",
            benchmark:
                "results/benchmarks/simulate_expression/simulate_expression.tsv"
            resources:
                mem_mb=grows(4000),
                runtime=grows(30),
            params:
                code=code_of("simulate_expression"),
                settings=config_subset("simulate", "seed"),
            script:
                "../scripts/simulate_expression.py"

        rule simulate_lesions:
            input:
                programmes=f"{SIMULATED}/programmes.tsv",
            output:
                table=f"{SIMULATED}/images.tsv",
                labels=f"{SIMULATED}/masks.tsv",
                images=directory(f"{SIMULATED}/images"),
                masks=directory(f"{SIMULATED}/masks"),
            log:
                "results/logs/simulate_lesions/simulate_lesions.log",
            benchmark:
                "results/benchmarks/simulate_lesions/simulate_lesions.tsv"
            resources:
                mem_mb=grows(4000),
                runtime=grows(30),
            params:
                code=code_of("simulate_lesions"),
                settings=config_subset("simulate", "seed"),
            script:
                "../scripts/simulate_lesions.py"

    else:

        rule simulate_images:
            input:
                latents=f"{SIMULATED}/latents.tsv",
            output:
                table=f"{SIMULATED}/images.tsv",
                groups=optional(f"{SIMULATED}/groups.tsv" if GROUPED else None),
                images=directory(f"{SIMULATED}/images"),
            log:
                "results/logs/simulate_images/simulate_images.log",
            benchmark:
                "results/benchmarks/simulate_images/simulate_images.tsv"
            resources:
                mem_mb=grows(4000),
                runtime=grows(30),
            params:
                code=code_of("simulate_images"),
                settings=config_subset("simulate", "seed"),
            script:
                "../scripts/simulate_images.py"


if "pairing" in config:

    rule pairing:
        input:
            unpack(array_genotypes),
        output:
            table=f"{config['pairing']['folder']}/images.tsv",
        log:
            "results/logs/pairing/pairing.log",
        benchmark:
            "results/benchmarks/pairing/pairing.tsv"
        resources:
            mem_mb=grows(2000),
            runtime=grows(30),
        params:
            code=code_of("pairing"),
            settings=config_subset("pairing", "autosomes", "seed"),
        script:
            "../scripts/pairing.py"
