# The downstream tasks: the models that each is evaluated with, and the input functions and settings of its rules.

TASKS = {kind: config_downstream.of_kind(config, kind) for kind in config_downstream.KINDS}
LABEL_TASKS = [task for kind in config_downstream.OF_LABELS for task in TASKS[kind]]
# tasks on an external labelled set, whose samples are not in the cohort
EXTERNAL_TASKS = [task for task in LABEL_TASKS if not config["downstream"][task]["cohort"]]
# pairs of a model and a task
DOWNSTREAM = [
    (model, task)
    for task in config["downstream"]
    for model in config_downstream.models(config, task)
]
DOWNSTREAM_FILES = [
    f"results/models/{model}/downstream/{task}.{kind}"
    for model, task in DOWNSTREAM
    for kind in ("json", "tsv", "png", "pdf")
]
PRIVATE = "results/private/downstream"
LABEL_TABLE_KEYS = (
    "table",
    "id",
    "column",
    "kind",
    "classes",
    "min_class_size",
    "rare",
    "cohort",
    "image",
)
IMAGE_KEYS = ("size", "crop")


def task_block(wildcards) -> dict:
    """The block of a task. A segmentation keeps the order of its classes: where masks overlap, the later one counts."""
    chosen = config["downstream"][wildcards.task]
    segmentation = wildcards.task in TASKS["segmentation"]
    kept = {key: chosen[key] for key in ("mask", "labels")} if segmentation else {}
    return config_settings.ordered(chosen) | kept


def decoding(wildcards) -> dict:
    """The settings of the block images that also hold for the images of a task."""
    return {"dimensions": block("images")["dimensions"], "min_sd": block("images")["qc"]["min_sd"]}


def fit_settings(wildcards) -> dict:
    """What every fit of a task reads from other blocks."""
    chosen = config_subset("embed.checkpoint", "seed", "math_threads")(wildcards)
    recipe = config["models"][wildcards.model]
    return {
        "bf16": recipe.get("bf16", False),
        "checkpoint": chosen["embed"]["checkpoint"],
        "seed": chosen["seed"],
        "math_threads": chosen["math_threads"],
    }


def segmentation_image_settings(wildcards) -> dict:
    """The settings by which images and masks are decoded."""
    task = task_block(wildcards)
    return {key: task[key] for key in ("table", "mask", "labels", *IMAGE_KEYS)} | decoding(
        wildcards
    )


def segmentation_settings(wildcards) -> dict:
    """The settings of the fits, with arms and modality filled in. The number of seeds changes no fit."""
    arms = config_downstream.arms(config, wildcards.task, wildcards.model)
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    task = {
        key: value for key, value in task_block(wildcards).items() if key not in ("models", "seeds")
    }
    return (
        task
        | fit_settings(wildcards)
        | {"arms": config_settings.ordered(arms), "modality": modality}
    )


def cluster_settings(wildcards) -> dict:
    """The settings of a clustering. The other models that are clustered do not change it."""
    chosen = config_subset("seed", "math_threads")(wildcards)
    return {key: value for key, value in task_block(wildcards).items() if key != "models"} | chosen


def label_table_settings(wildcards) -> dict:
    """The settings by which a table of labels is read."""
    return {key: value for key, value in task_block(wildcards).items() if key in LABEL_TABLE_KEYS}


def external_image_settings(wildcards) -> dict:
    """The settings by which the images of an external labelled set are decoded."""
    return {key: config["downstream"][wildcards.task][key] for key in IMAGE_KEYS} | decoding(
        wildcards
    )


def external_feature_settings(wildcards) -> dict:
    """The settings by which a network computes features of an external labelled set."""
    chosen = config_subset("embed.checkpoint", "embed.layer", "math_threads")(wildcards)
    return chosen["embed"] | {"math_threads": chosen["math_threads"]}


def prediction_settings(wildcards) -> dict:
    """The settings of the fits to labels. The number of seeds and the reading of labels do not change a fit."""
    unused = {*LABEL_TABLE_KEYS, *IMAGE_KEYS, "models", "seeds"} - {"table", "cohort"}
    task = {key: value for key, value in task_block(wildcards).items() if key not in unused}
    arms = config_downstream.label_arms(config, wildcards.task, wildcards.model)
    return task | fit_settings(wildcards) | {"arms": arms}


def segmentation_files(wildcards) -> str | None:
    """A digest of the image and mask files of a segmentation, as a param."""
    task = config["downstream"][wildcards.task]
    masks = task["mask"].values() if isinstance(task["mask"], dict) else [task["mask"]]
    return files_listed_in(task["table"], "image", "path", *masks)


def external_image_files(wildcards) -> str | None:
    """A digest of the image files of an external labelled set, as a param."""
    task = config["downstream"][wildcards.task]
    if "{id}" in task["image"]:
        return files_listed_in(task["table"], task["id"], pattern=task["image"])
    return files_listed_in(task["table"], task["image"])


def task_cohort(wildcards) -> list[str]:
    return [rules.samples.output.cohort] if config["downstream"][wildcards.task]["cohort"] else []


def task_withdrawn(wildcards) -> list[str]:
    """The list of withdrawn participants, if the task does not use the cohort, from which they are already removed."""
    if config["downstream"][wildcards.task]["cohort"]:
        return []
    return optional(config["samples"]["withdrawn"])


def task_checkpoints(wildcards) -> list[str]:
    """The checkpoints that a task needs: of every fold if its samples are in the cohort, else of the first fold.

    In the cohort each sample is predicted by a network that did not train on it.
    """
    cohort, count = config["downstream"][wildcards.task]["cohort"], len(folds(wildcards.model))
    needed = range(count) if cohort else range(1)
    return expand(rules.pretrain_fold.output.checkpoint, model=wildcards.model, fold=needed)


def task_trained_checkpoints(wildcards) -> list[str]:
    return task_checkpoints(wildcards) if wildcards.model in TRAINED else []


def task_modality(wildcards) -> list[str]:
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    return [f"results/modalities/{modality}.h5ad"] if modality else []


def task_pcs(wildcards) -> list[str]:
    modality = config_downstream.modality(config, wildcards.task, wildcards.model)
    adjusted = config["models"][wildcards.model].get("adjust", [])
    return adjustment_pcs(wildcards) if modality in adjusted else []


def task_label_table(wildcards) -> list[str]:
    labels = config["downstream"][wildcards.task]["labels"]
    return [labels["table"]] if labels else []


def task_embeddings(wildcards) -> list[str]:
    """The features of each network that a task needs. Those of external or applied models are in one file."""
    if wildcards.task in EXTERNAL_TASKS:
        return expand(rules.downstream_features.output.embeddings, **wildcards)
    if wildcards.model not in TRAINED:
        return [f"results/models/{wildcards.model}/embeddings.h5ad"]
    return expand(
        rules.embed_fold.output.embeddings, model=wildcards.model, fold=folds(wildcards.model)
    )


def task_images(name: str) -> Callable:
    """The array (images) or the table of the images that the arms of a task read."""

    def paths(wildcards) -> list[str]:
        if not config_downstream.reads_images(config, wildcards.task, wildcards.model):
            return []
        decoded = rules.downstream_images if wildcards.task in EXTERNAL_TASKS else rules.images
        return expand(decoded.output[name], task=wildcards.task)

    return paths


def segmentation_outputs(name: str) -> Callable:
    """An output of the segmentation fits, of every seed."""

    def paths(wildcards) -> list[str]:
        seeds = range(config["downstream"][wildcards.task]["seeds"])
        return expand(rules.downstream_segment.output[name], seed=seeds, allow_missing=True)

    return paths


def prediction_outputs(name: str) -> Callable:
    """An output of the predictions, of every seed."""

    def paths(wildcards) -> list[str]:
        seeds = range(config["downstream"][wildcards.task]["seeds"])
        return expand(rules.downstream_predict.output[name], seed=seeds, allow_missing=True)

    return paths
