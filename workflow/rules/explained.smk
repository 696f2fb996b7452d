# Which models are explained, what their explanations read, and their settings.

EXPLAINED = config_explain.explained(config)
SHOWN = EXPLAINED if config.get("explain", {}).get("private") else []
PRIVATE_EXPLAINED = [
    f"results/private/explanations/{model}/{name}"
    for model in SHOWN
    for name in ("explanations.pdf", "features.tsv")
]


def of_explanations(wildcards) -> dict:
    """The settings of explanations: methods that the model's encoders can have; who else is explained does not matter."""
    keys = ("baseline", "people", "reference", "steps", "noise")
    chosen = told(
        config_settings.job_settings,
        config,
        *(f"explain.{key}" for key in keys),
        "seed",
        "math_threads",
    )
    embed = told(config_settings.job_settings, config, "embed", model=wildcards.model)
    return chosen | {
        "methods": config_explain.methods(config, wildcards.model),
        "left_out": config_explain.left_out(config, wildcards.model),
        "checkpoint": embed["checkpoint"],
    }


def explaining_images() -> int:
    """Megabytes: of the images of all who are drawn for a network, and of the activations that one's gradients need."""
    if not EXPLAINED:
        return 0
    images, drawn = config["images"], config["explain"]
    pixels = images["size"] ** images["dimensions"]
    references = max(len(config["models"][model]["modalities"]) for model in EXPLAINED)
    people = drawn["people"] + drawn["reference"] * references
    return ceil((3 * people + 3000) * pixels / 1e6)


def explaining(wildcards) -> dict[str, list[str] | str]:
    """What an explanation reads: every network of the model, the images, the cohort, the modalities, components."""
    return {
        "checkpoints": expand(
            rules.pretrain_fold.output.checkpoint,
            model=wildcards.model,
            fold=folds(wildcards.model),
        ),
        "images": rules.images.output.images,
        "table": rules.images.output.table,
        "cohort": rules.samples.output.cohort,
        "modalities": modalities(wildcards),
        "pcs": components(wildcards),
    }
