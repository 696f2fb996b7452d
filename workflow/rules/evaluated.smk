# Which models are compared at equal people, what the evaluation reads, and its settings.

# what models have in common needs two of them
EQUAL = MODELS if config["evaluate"]["equal_people"] and len(MODELS) > 1 else []
EVALUATION = "results/evaluation"


def of_evaluate(wildcards) -> dict:
    """The settings of evaluate, and loci.kb beside its own kb."""
    chosen = told(
        config_settings.job_settings,
        config,
        "evaluate",
        "genotypes.array",
        "genotypes.build",
        "gwas.genotypes",
        "loci.test",
        "math_threads",
        "seed",
    )
    return chosen | {"loci_kb": config["loci"]["kb"]}


def histories(wildcards) -> list[str]:
    """The history of every fold, model by model."""
    return [
        path
        for model in RECIPES
        for path in expand(rules.pretrain_fold.output.history, model=model, fold=folds(model))
    ]
