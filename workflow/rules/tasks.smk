# The tasks of downstream: which models they are done with, what they read, and their settings.

TASKS = {kind: contigwas_tasks.of_kind(config, kind) for kind in ("segmentation", "clusters")}
# pairs of a model and a task
DOWNSTREAM = [
    (model, task) for task in config["downstream"] for model in contigwas_tasks.models(config, task)
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
    block = told(contigwas_config.settings, config, f"downstream.{task}")
    # classes stay in the order of the config: where their masks overlap, the later one counts
    return block | {key: config["downstream"][task][key] for key in ("mask", "labels")}


def of_labelled(wildcards) -> dict:
    """The settings by which images and masks are decoded."""
    task = of_segmentation(wildcards.task)
    beside = told(contigwas_config.settings, config, "images.dimensions", "images.qc.min_sd")
    return {key: task[key] for key in READ_BY_LABELLED} | beside


def of_fits(wildcards) -> dict:
    """The settings of the fits: arms and the modality are filled in, and how many seeds there are does not matter."""
    arms = contigwas_tasks.arms(config, wildcards.task, wildcards.model)
    modality = contigwas_tasks.modality(config, wildcards.task, wildcards.model)
    chosen = of_segmentation(wildcards.task)
    chosen |= told(contigwas_config.settings, config, "seed", "math_threads")
    chosen = {key: value for key, value in chosen.items() if key not in ("models", "seeds")}
    embed = told(contigwas_config.settings, config, "embed", model=wildcards.model)
    return chosen | {
        "arms": contigwas_config.ordered(arms),
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
    """The checkpoints that a task needs: of every fold where each holds people of the cohort out, else the first."""
    cohort, count = config["downstream"][wildcards.task]["cohort"], len(folds(wildcards.model))
    needed = range(count) if cohort else range(1)
    return expand(rules.pretrain_fold.output.checkpoint, model=wildcards.model, fold=needed)


def genes_of_task(wildcards) -> list[str]:
    modality = contigwas_tasks.modality(config, wildcards.task, wildcards.model)
    return [f"results/modalities/{modality}.h5ad"] if modality else []


def components_of_task(wildcards) -> list[str]:
    modality = contigwas_tasks.modality(config, wildcards.task, wildcards.model)
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
    chosen = told(contigwas_config.settings, config, block, "seed", "math_threads")
    return {key: value for key, value in chosen.items() if key != "models"}
