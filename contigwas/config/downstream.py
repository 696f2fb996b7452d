"""Check downstream tasks, and list the models and arms of each task. torch is not imported."""

from collections.abc import Mapping

from contigwas.config.models import methods
from contigwas.runtime.errors import UserError

SEGMENTATION, CLUSTERS = "segmentation", "clusters"
CLASSIFICATION, REGRESSION = "classification", "regression"
OF_LABELS = (CLASSIFICATION, REGRESSION)  # predict labels of samples
KINDS = (SEGMENTATION, CLASSIFICATION, REGRESSION, CLUSTERS)
PROBE, KNN, FINETUNED, SCRATCH = "probe", "knn", "finetuned", "scratch"  # arms of the kinds in OF_LABELS
OF_NETWORKS = (FINETUNED, SCRATCH)  # arms that train a network on images
SIZE_MULTIPLE = 16  # image sizes of MONAI's UNETR, and of the U-Net as used here, are multiples of it
GENETIC_ARMS = (("pretrained_genes", "pretrained", "film"), ("scratch_genes", "scratch", "film"))
IMAGE_ARMS = (("pretrained", "pretrained", "none"), ("scratch", "scratch", "none"))
REFERENCE_ARMS = (("unet", "unet"), ("unetr", "unetr"))


def default_arms(genes: bool) -> list[dict[str, object]]:
    """The default arms of a segmentation; arms with genetics only if `genes`, that is with a genetics encoder."""
    light = [one for pair in zip(GENETIC_ARMS, IMAGE_ARMS, strict=True) for one in (pair if genes else pair[1:])]
    return [
        *(
            {"name": name, "network": "light", "encoder": encoder, "fusion": fusion, "freeze": False}
            for name, encoder, fusion in light
        ),
        *(
            {"name": name, "network": network, "encoder": "scratch", "fusion": "none", "freeze": False}
            for name, network in REFERENCE_ARMS
        ),
    ]


def of_kind(config: Mapping, kind: str) -> list[str]:
    """The names of the tasks of one kind."""
    return [name for name, task in config.get("downstream", {}).items() if task["task"] == kind]


def models(config: Mapping, name: str) -> list[str]:
    """The models of a task: those that it names, else all that meet its requirements."""
    task = config["downstream"][name]
    if task["models"] is not None:
        return list(task["models"])
    return [model for model in config["models"] if not missing_requirement(config, name, model)]


def modality(config: Mapping, name: str, model: str) -> str | None:
    """The modality whose encoder a task fuses with images; None if no arm fuses, or for samples outside the cohort."""
    task, recipe = config["downstream"][name], config["models"][model]
    if not task["cohort"] or not any(arm["fusion"] != "none" for arm in arms(config, name, model)):
        return None
    return task["modality"] or recipe["modalities"][0]


def arms(config: Mapping, name: str, model: str) -> list[dict[str, object]]:
    """The arms of a segmentation with a model."""
    task = config["downstream"][name]
    genes = task["cohort"] and bool(config["models"][model].get("modalities"))
    return default_arms(genes) if task["arms"] is None else list(task["arms"])


def label_arms(config: Mapping, name: str, model: str) -> list[str]:
    """The arms of a classification or regression with a model. Models without an image_encoder cannot be fine-tuned."""
    tunable = "image_encoder" in config["models"][model]
    return [arm for arm in config["downstream"][name]["arms"] if tunable or arm not in OF_NETWORKS]


def reads_images(config: Mapping, name: str, model: str) -> bool:
    """Whether an arm of a classification or regression with a model reads images."""
    return any(arm in OF_NETWORKS for arm in label_arms(config, name, model))


def missing_requirement(config: Mapping, name: str, model: str) -> str:
    """The reason why a model cannot be used for a task; empty if it can."""
    task, recipe = config["downstream"][name], config["models"][model]
    if task["task"] in OF_LABELS:
        return _missing_for_labels(config, name, model)
    if task["task"] == CLUSTERS:
        return (
            "" if {"method", "embeddings", "apply"} & {*recipe} else "has user-supplied phenotypes, but no embeddings"
        )
    if "image_encoder" not in recipe:
        return "has no network with feature maps (image_encoder)"
    fused = any(arm["fusion"] != "none" for arm in task["arms"] or [])
    if (fused or task["modality"]) and not recipe.get("modalities"):
        return "has no encoder of a modality to fuse with"
    if task["modality"] and task["modality"] not in recipe["modalities"]:
        return f"has no encoder of {task['modality']}"
    if any(arm["fusion"] == "cross_attention" for arm in task["arms"] or []) and not methods()[recipe["method"]].tokens:
        return "has no gene tokens for cross_attention"
    return ""


def _missing_for_labels(config: Mapping, name: str, model: str) -> str:
    task, recipe = config["downstream"][name], config["models"][model]
    if not {"method", "embeddings", "apply"} & {*recipe}:
        return "has user-supplied phenotypes, but no embeddings"
    if not task["cohort"] and "method" not in recipe:
        return "has no network trained in this run, which embeds the images of an external data set"
    if not label_arms(config, name, model):
        return "has no network to fine-tune (image_encoder)"
    return ""


def tables(config: Mapping) -> list[tuple[str, str | None]]:
    """The key and path of the table of every task, and of its labels."""
    named = [(f"downstream.{name}.table", task.get("table")) for name, task in config.get("downstream", {}).items()]
    for name in of_kind(config, CLUSTERS):
        labels = config["downstream"][name]["labels"]
        if labels:
            named.append((f"downstream.{name}.labels.table", labels["table"]))
    return named


def require(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`pairs` of a model and a task. Raises UserError if there is none."""
    if not pairs:
        raise UserError("config: there is no downstream: block with a task, which this target needs: add one")
    return pairs


def check_tasks(config: Mapping) -> None:
    """Fill in the size and crop of images from the block images. Raises UserError if keys contradict each other."""
    for name in of_kind(config, CLUSTERS):
        place = f"config: downstream.{name}"
        _check_models(config, name, place)
        k_max, k = config["downstream"][name]["k_max"], config["downstream"][name]["k"]
        if k is not None and k > k_max:
            raise UserError(f"{place}.k is {k}, more than its k_max of {k_max}: raise k_max, or lower k")
    for name in [one for kind in OF_LABELS for one in of_kind(config, kind)]:
        _check_labels(config, name, f"config: downstream.{name}")
    for name in of_kind(config, SEGMENTATION):
        task, place = config["downstream"][name], f"config: downstream.{name}"
        if "images" not in config:
            raise UserError(f"{place} needs images, but there is no images: block: add it")
        for key in ("size", "crop"):
            task[key] = config["images"][key] if task[key] is None else task[key]
        _check_segmentation(place, task)
        _check_models(config, name, place)
        _check_size(config, name, place)


def _check_labels(config: Mapping, name: str, place: str) -> None:
    task = config["downstream"][name]
    several = isinstance(task["column"], list)
    if several != (task.get("kind") == "multilabel"):
        raise UserError(
            f"{place}.column names {'several columns' if several else 'one column'}, but a list of columns is for "
            "kind: multilabel, which requires one: correct column or kind"
        )
    if task.get("classes") is not None and (several or len(set(map(str, task["classes"]))) < 2):
        raise UserError(f"{place}.classes must be two or more values of a single column: correct it, or remove classes")
    _check_models(config, name, place)
    if task["cohort"]:
        given = [key for key in ("size", "crop", "image") if task[key] is not None]
        if given:
            raise UserError(
                f"{place}.{given[0]} is given, but the images of the cohort are already decoded (block images): "
                f"remove {given[0]}, or write cohort: false"
            )
        if "images" not in config and any(reads_images(config, name, one) for one in models(config, name)):
            raise UserError(f"{place} fine-tunes on images, but there is no images: block: add it, or name other arms")
        return
    if "images" not in config:
        raise UserError(f"{place} needs images, but there is no images: block: add it")
    if task["image"] is None:
        raise UserError(
            f"{place}.image is missing, but cohort is false: write the column of image files, or a pattern with {{id}} "
            "such as images/{id}.png"
        )
    if task["image"].lower() in [str(one).lower() for one in (task["column"] if several else [task["column"]])]:
        raise UserError(
            f"{place}.image names the column {task['image']}, which is a label (column): name the column of image "
            "files, or a pattern with {id}"
        )
    for key in ("size", "crop"):
        task[key] = config["images"][key] if task[key] is None else task[key]
    _check_size(config, name, place)


def _check_segmentation(place: str, task: Mapping) -> None:
    if isinstance(task["mask"], Mapping) and task["labels"] is not None:
        raise UserError(f"{place} has labels and a mask column for each class: name one mask column, or remove labels")
    values = [value for one in (task["labels"] or {}).values() for value in (one if isinstance(one, list) else [one])]
    if len(values) != len(set(values)):
        raise UserError(f"{place}.labels has a value in two classes: remove it from one of them")
    names = [arm["name"] for arm in task["arms"] or []]
    if len(names) != len(set(names)):
        raise UserError(f"{place}.arms has a duplicated name: rename one arm")
    for arm in task["arms"] or []:
        where = f"{place}.arms: {arm['name']}"
        if arm["network"] != "light" and (arm["encoder"], arm["fusion"], arm["freeze"]) != ("scratch", "none", False):
            raise UserError(
                f"{where} is a {arm['network']}, which is trained from scratch without genetics: remove its other keys"
            )
        if arm["freeze"] and arm["encoder"] != "pretrained":
            raise UserError(
                f"{where} freezes an encoder that is not pretrained: write encoder: pretrained, or remove freeze"
            )
        if arm["fusion"] != "none" and not task["cohort"]:
            raise UserError(
                f"{where} fuses genetics, but {place[8:]} is an external data set without genetics: write fusion: none"
            )
    if task["modality"] and not task["cohort"]:
        raise UserError(
            f"{place}.modality is {task['modality']}, but with cohort: false its samples have no genetics: remove "
            "modality"
        )
    if task["modality"] and task["arms"] is not None and all(arm["fusion"] == "none" for arm in task["arms"]):
        raise UserError(
            f"{place}.modality is {task['modality']}, but none of its arms fuses genetics: remove modality, or write "
            "fusion: film in an arm"
        )


def _check_models(config: Mapping, name: str, place: str) -> None:
    task = config["downstream"][name]
    for model in task["models"] or []:
        if model not in config["models"]:
            raise UserError(f"{place}.models names {model}, which is not one of models: correct it")
        reason = missing_requirement(config, name, model)
        if reason:
            raise UserError(f"{place}.models names {model}, which {reason}: name another model, or remove it")
    if not models(config, name):
        needed = {
            SEGMENTATION: "a network with feature maps, a modality if an arm fuses genetics, and gene tokens for "
            "cross_attention",
            CLUSTERS: "embeddings",
            CLASSIFICATION: "embeddings, and a network trained in this run for fine-tuning or with cohort: false",
            REGRESSION: "embeddings, and a network trained in this run for fine-tuning or with cohort: false",
        }[task["task"]]
        raise UserError(
            f"{place} has no model: none of {', '.join(config['models'])} meets its requirements ({needed}): add one"
        )


def _check_size(config: Mapping, name: str, place: str) -> None:
    task, size = config["downstream"][name], config["images"]["size"]
    if config["images"]["dimensions"] == 3 and task["crop"] == "fundus":
        raise UserError(f"{place}.crop is fundus, but images.dimensions is 3: volumes are not cropped, remove crop")
    for model in models(config, name):
        network, alternative = _fixed_size_network(config["models"][model])
        if network and task["size"] != size:
            raise UserError(
                f"{place}.size is {task['size']}, but {model} is a {network}, which requires images of the size that "
                f"it was pretrained with (images.size, {size}): remove size, or {alternative}"
            )
        if task["task"] in OF_LABELS:
            continue
        references = [arm for arm in arms(config, name, model) if arm["network"] != "light"]
        if references and task["size"] % SIZE_MULTIPLE:
            raise UserError(
                f"{place}.size is {task['size']}, but the arm {references[0]['name']} ({references[0]['network']}) "
                f"requires multiples of {SIZE_MULTIPLE}: change size, or name other arms"
            )


def _fixed_size_network(recipe: Mapping) -> tuple[str, str]:
    """The kind of a network that only reads images of the pretraining size, and how to replace it; empty for others."""
    if str(recipe.get("image_encoder")).startswith("vit"):
        return "ViT", "use a ResNet"
    if "image_encoder" not in recipe and "method" in recipe and methods()[recipe["method"]].has_decoder:
        return methods()[recipe["method"]].title, "name other models"
    return "", ""
