# The tasks of downstream: which models they are done with, what they read, and their settings.

TASKS = {kind: config_downstream.of_kind(config, kind) for kind in config_downstream.KINDS}
TASKS_OF_LABELS = [task for kind in config_downstream.OF_LABELS for task in TASKS[kind]]
OUTSIDE = [task for task in TASKS_OF_LABELS if not config["downstream"][task]["cohort"]]
# pairs of a model and a task
DOWNSTREAM = [
    (model, task) for task in config["downstream"] for model in config_downstream.models(config, task)
]
DOWNSTREAM_FILES = [
    f"results/models/{model}/downstream/{task}.{kind}"
    for model, task in DOWNSTREAM
    for kind in ("json", "tsv", "png", "pdf")
]
PRIVATE = "results/private/downstream"


READ_BY_LABELLED = ("table", "mask", "labels", "size", "crop")


def of_segmentation(task: str) -> dict:
    """The block of a task, whole: asked for by themselves, keys that are mappings (mask, labels) would be flattened."""
    block = told(config_settings.job_settings, config, f"downstream.{task}")
    # classes stay in the order of the config: where their masks overlap, the later one counts
    return block | {key: config["downstream"][task][key] for key in ("mask", "labels")}


def of_labelled(wildcards) -> dict:
    """The settings by which images and masks are decoded."""
    task = of_segmentation(wildcards.task)
    beside = told(config_settings.job_settings, config, "images.dimensions", "images.qc.min_sd")
    return {key: task[key] for key in READ_BY_LABELLED} | beside


def of_fits(wildcards) -> dict:
    """The settings of the fits: arms and the modality are filled in, and how many seeds there are does not matter."""
    arms = config_downstream.arms(config, wildcards.task, wildcards.model)
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    chosen = of_segmentation(wildcards.task)
    chosen |= told(config_settings.job_settings, config, "seed", "math_threads")
    chosen = {key: value for key, value in chosen.items() if key not in ("models", "seeds")}
    embed = told(config_settings.job_settings, config, "embed", model=wildcards.model)
    return chosen | {
        "arms": config_settings.ordered(arms),
        "modality": modality,
        "bf16": config["models"][wildcards.model]["bf16"],
        "checkpoint": embed["checkpoint"],
    }


def cohort_of_task(wildcards) -> list[str]:
    return [rules.samples.output.cohort] if config["downstream"][wildcards.task]["cohort"] else []


def withdrawn_of_task(wildcards) -> list[str]:
    """The list of who withdrew, where the cohort, which is made without them, does not say whose images count."""
    if config["downstream"][wildcards.task]["cohort"]:
        return []
    return optional(config["samples"]["withdrawn"])


def networks_of_task(wildcards) -> list[str]:
    """The checkpoints that a task needs: of every fold where each holds samples of the cohort out, else the first."""
    cohort, count = config["downstream"][wildcards.task]["cohort"], len(folds(wildcards.model))
    needed = range(count) if cohort else range(1)
    return expand(rules.pretrain_fold.output.checkpoint, model=wildcards.model, fold=needed)


def genes_of_task(wildcards) -> list[str]:
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    return [f"results/modalities/{modality}.h5ad"] if modality else []


def components_of_task(wildcards) -> list[str]:
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    return (
        components(wildcards)
        if modality in config["models"][wildcards.model].get("adjust", [])
        else []
    )


def seeds_of_task(name: str) -> Callable:
    """An output of the fits, of every seed."""

    def listed(wildcards) -> list[str]:
        seeds = range(config["downstream"][wildcards.task]["seeds"])
        return expand(rules.downstream_segment.output[name], seed=seeds, allow_missing=True)

    return listed


def labels_of_task(wildcards) -> list[str]:
    labels = config["downstream"][wildcards.task]["labels"]
    return [labels["table"]] if labels else []


def of_clusters(wildcards) -> dict:
    """The settings of a clustering: which other models are clustered does not matter."""
    block = f"downstream.{wildcards.task}"
    chosen = told(config_settings.job_settings, config, block, "seed", "math_threads")
    return {key: value for key, value in chosen.items() if key != "models"}


READ_FROM_TABLE = ("table", "id", "column", "kind", "classes", "min_class_size", "rare", "cohort", "image")


def of_table(wildcards) -> dict:
    """The settings by which a table of labels is read."""
    task = told(config_settings.job_settings, config, f"downstream.{wildcards.task}")
    return {key: task[key] for key in READ_FROM_TABLE if key in task}


def of_pictures(wildcards) -> dict:
    """The settings by which the images of an external set are decoded."""
    beside = told(config_settings.job_settings, config, "images.dimensions", "images.qc.min_sd")
    return {key: config["downstream"][wildcards.task][key] for key in ("size", "crop")} | beside


def of_features(wildcards) -> dict:
    """The settings by which a network gives features of an external set."""
    embed = told(config_settings.job_settings, config, "embed", "math_threads", model=wildcards.model)
    return {key: embed[key] for key in ("checkpoint", "layer", "math_threads")}


def of_predictions(wildcards) -> dict:
    """The settings of what is fitted to labels; how they are read, and how many seeds there are, does not matter."""
    chosen = told(
        config_settings.job_settings, config, f"downstream.{wildcards.task}", "seed", "math_threads"
    )
    read = {*READ_FROM_TABLE, "models", "seeds", "size", "crop"} - {"table", "cohort"}
    embed = told(config_settings.job_settings, config, "embed", model=wildcards.model)
    return {key: value for key, value in chosen.items() if key not in read} | {
        "arms": config_downstream.label_arms(config, wildcards.task, wildcards.model),
        "bf16": config["models"][wildcards.model].get("bf16", False),
        "checkpoint": embed["checkpoint"],
    }


def features_of_task(wildcards) -> list[str]:
    """Features from each network that a task needs; those that were brought or applied are one file."""
    if wildcards.task in OUTSIDE:
        return expand(rules.downstream_features.output.embeddings, **wildcards)
    if wildcards.model not in RECIPES:
        return [f"results/models/{wildcards.model}/embeddings.h5ad"]
    return expand(
        rules.embed_fold.output.embeddings, model=wildcards.model, fold=folds(wildcards.model)
    )


def trained_of_task(wildcards) -> list[str]:
    return networks_of_task(wildcards) if wildcards.model in RECIPES else []


def images_of_task(name: str) -> Callable:
    """The array (images) or the table of the images that arms see."""

    def listed(wildcards) -> list[str]:
        if not config_downstream.reads_images(config, wildcards.task, wildcards.model):
            return []
        made = rules.downstream_pictures if wildcards.task in OUTSIDE else rules.images
        return expand(made.output[name], task=wildcards.task)

    return listed


def predictions_of_task(name: str) -> Callable:
    """An output of the predictions, of every seed."""

    def listed(wildcards) -> list[str]:
        seeds = range(config["downstream"][wildcards.task]["seeds"])
        return expand(rules.downstream_predict.output[name], seed=seeds, allow_missing=True)

    return listed
