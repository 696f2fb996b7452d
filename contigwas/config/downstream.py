"""What a schema cannot say of downstream tasks, and which models have what a task needs. torch is not imported."""

from collections.abc import Mapping

from contigwas.config.models import methods
from contigwas.runtime.errors import UserError

SEGMENTATION, CLUSTERS = "segmentation", "clusters"
CLASSIFICATION, REGRESSION = "classification", "regression"
OF_LABELS = (CLASSIFICATION, REGRESSION)  # of samples, not of pixels
KINDS = (SEGMENTATION, CLASSIFICATION, REGRESSION, CLUSTERS)
PROBE, KNN, FINETUNED, SCRATCH = "probe", "knn", "finetuned", "scratch"  # the arms of those
OF_NETWORKS = (FINETUNED, SCRATCH)  # arms that see images
MULTIPLE = 16  # to which MONAI's UNETR, and here the U-Net, divide an image
GENES = (("pretrained_genes", "pretrained", "film"), ("scratch_genes", "scratch", "film"))
PLAIN = (("pretrained", "pretrained", "none"), ("scratch", "scratch", "none"))
OTHERS = (("unet", "unet"), ("unetr", "unetr"))


def default_arms(genes: bool) -> list[dict[str, object]]:
    """The arms of a segmentation that names none: with genes only where there is an encoder of them."""
    light = [one for pair in zip(GENES, PLAIN, strict=True) for one in (pair if genes else pair[1:])]
    return [
        *(
            {"name": name, "network": "light", "encoder": encoder, "fusion": fusion, "freeze": False}
            for name, encoder, fusion in light
        ),
        *(
            {"name": name, "network": network, "encoder": "scratch", "fusion": "none", "freeze": False}
            for name, network in OTHERS
        ),
    ]


def of_kind(config: Mapping, kind: str) -> list[str]:
    """The names of the tasks of one kind."""
    return [name for name, task in config.get("downstream", {}).items() if task["task"] == kind]


def models(config: Mapping, name: str) -> list[str]:
    """The models that a task is done with: those that it names, else all that have what it needs."""
    task = config["downstream"][name]
    if task["models"] is not None:
        return list(task["models"])
    return [model for model in config["models"] if not lacks(config, name, model)]


def modality(config: Mapping, name: str, model: str) -> str | None:
    """The modality whose encoder a task fuses with images; None where there is none, or the samples have none."""
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
    """The arms of a classification or regression with a model: who supplies features has no network to fine-tune."""
    tunable = "image_encoder" in config["models"][model]
    return [arm for arm in config["downstream"][name]["arms"] if tunable or arm not in OF_NETWORKS]


def reads_images(config: Mapping, name: str, model: str) -> bool:
    """Whether an arm of a classification or regression with a model sees images."""
    return any(arm in OF_NETWORKS for arm in label_arms(config, name, model))


def lacks(config: Mapping, name: str, model: str) -> str:
    """What a model lacks for a task; empty where it has everything."""
    task, recipe = config["downstream"][name], config["models"][model]
    if task["task"] in OF_LABELS:
        return _lacks_for_labels(config, name, model)
    if task["task"] == CLUSTERS:
        return (
            "" if {"method", "embeddings", "apply"} & {*recipe} else "has no embeddings, but user-supplied phenotypes"
        )
    if "image_encoder" not in recipe:
        return "has no network with feature maps (image_encoder)"
    fused = any(arm["fusion"] != "none" for arm in task["arms"] or [])
    if (fused or task["modality"]) and not recipe.get("modalities"):
        return "has no encoder of a modality to fuse with"
    if task["modality"] and task["modality"] not in recipe["modalities"]:
        return f"has no encoder of {task['modality']}"
    if any(arm["fusion"] == "cross_attention" for arm in task["arms"] or []) and not methods()[recipe["method"]].tokens:
        return "has no tokens of genes for cross_attention to ask"
    return ""


def _lacks_for_labels(config: Mapping, name: str, model: str) -> str:
    task, recipe = config["downstream"][name], config["models"][model]
    if not {"method", "embeddings", "apply"} & {*recipe}:
        return "has no embeddings, but user-supplied phenotypes"
    if not task["cohort"] and "method" not in recipe:
        return "has no network that is trained here, to embed images of samples outside the cohort"
    if not label_arms(config, name, model):
        return "has no network to fine-tune (image_encoder)"
    return ""


def tables(config: Mapping) -> list[tuple[str, str | None]]:
    """The table of every task, and that of its labels, each with its key."""
    named = [(f"downstream.{name}.table", task.get("table")) for name, task in config.get("downstream", {}).items()]
    for name in of_kind(config, CLUSTERS):
        labels = config["downstream"][name]["labels"]
        if labels:
            named.append((f"downstream.{name}.labels.table", labels["table"]))
    return named


def require(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`pairs` of a model and a task, or a UserError where there is none."""
    if not pairs:
        raise UserError("config: there is no downstream: block with a task, which this target needs: add one")
    return pairs


def check_tasks(config: Mapping) -> None:
    """Fill in what a segmentation takes from the block images; raise UserError where keys contradict each other."""
    for name in of_kind(config, CLUSTERS):
        place = f"config: downstream.{name}"
        _check_models(config, name, place)
        largest, k = config["downstream"][name]["k_max"], config["downstream"][name]["k"]
        if k is not None and k > largest:
            raise UserError(f"{place}.k is {k}, more than its k_max of {largest}: raise k_max, or lower k")
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
            f"{place}.column names {'several columns' if several else 'one column'}, but only a multilabel task has "
            "several, and always a list of them: correct column or kind"
        )
    if task.get("classes") is not None and (several or len(set(map(str, task["classes"]))) < 2):
        raise UserError(f"{place}.classes are the values of one column, two or more: correct it, or drop classes")
    _check_models(config, name, place)
    if task["cohort"]:
        given = [key for key in ("size", "crop", "image") if task[key] is not None]
        if given:
            raise UserError(
                f"{place}.{given[0]} is given, but the samples are those of the cohort, whose images are decoded "
                f"already (block images): drop {given[0]}, or write cohort: false"
            )
        if "images" not in config and any(reads_images(config, name, one) for one in models(config, name)):
            raise UserError(f"{place} fine-tunes on images, but there is no images: block: add it, or name other arms")
        return
    if "images" not in config:
        raise UserError(f"{place} needs images, but there is no images: block: add it")
    if task["image"] is None:
        raise UserError(
            f"{place} is of samples outside the cohort (cohort: false), but does not say where their images are: write "
            "image: a column of the table, or a pattern with {id} such as images/{id}.png"
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
        raise UserError(
            f"{place} has labels and a column of masks for each class: name the values of one column, or drop labels"
        )
    values = [value for one in (task["labels"] or {}).values() for value in (one if isinstance(one, list) else [one])]
    if len(values) != len(set(values)):
        raise UserError(f"{place}.labels gives one value to two classes: give each its own")
    names = [arm["name"] for arm in task["arms"] or []]
    if len(names) != len(set(names)):
        raise UserError(f"{place}.arms has two of one name: rename one")
    for arm in task["arms"] or []:
        where = f"{place}.arms: {arm['name']}"
        if arm["network"] != "light" and (arm["encoder"], arm["fusion"], arm["freeze"]) != ("scratch", "none", False):
            raise UserError(
                f"{where} is a {arm['network']}, which starts from scratch, without genes: drop its other keys"
            )
        if arm["freeze"] and arm["encoder"] != "pretrained":
            raise UserError(
                f"{where} freezes an encoder that learned nothing: write encoder: pretrained, or drop freeze"
            )
        if arm["fusion"] != "none" and not task["cohort"]:
            raise UserError(
                f"{where} fuses genes, but the samples of {place[8:]} are not of the cohort: write fusion: none"
            )
    if task["modality"] and not task["cohort"]:
        raise UserError(
            f"{place}.modality is {task['modality']}, but with cohort: false its samples have no genes: drop modality"
        )
    if task["modality"] and task["arms"] is not None and all(arm["fusion"] == "none" for arm in task["arms"]):
        raise UserError(
            f"{place}.modality is {task['modality']}, but none of its arms fuses genes: drop modality, or write "
            "fusion: film in an arm"
        )


def _check_models(config: Mapping, name: str, place: str) -> None:
    task = config["downstream"][name]
    for model in task["models"] or []:
        if model not in config["models"]:
            raise UserError(f"{place}.models names {model}, which is not among models: correct it")
        why = lacks(config, name, model)
        if why:
            raise UserError(f"{place}.models names {model}, which {why}: name another one, or leave it out")
    if not models(config, name):
        needed = {
            SEGMENTATION: "a network with feature maps, and a modality where an arm fuses genes, with tokens where by "
            "cross_attention",
            CLUSTERS: "embeddings",
            CLASSIFICATION: "embeddings, and a network that is trained here for fine-tuning or with cohort: false",
            REGRESSION: "embeddings, and a network that is trained here for fine-tuning or with cohort: false",
        }[task["task"]]
        raise UserError(
            f"{place} has no model: none of {', '.join(config['models'])} has what it needs ({needed}): add one"
        )


def _check_size(config: Mapping, name: str, place: str) -> None:
    task, size = config["downstream"][name], config["images"]["size"]
    if config["images"]["dimensions"] == 3 and task["crop"] == "fundus":
        raise UserError(f"{place}.crop is fundus, but images.dimensions is 3: volumes are not cropped, drop it")
    for model in models(config, name):
        what, other_one = _of_one_size(config["models"][model])
        if what and task["size"] != size:
            raise UserError(
                f"{place}.size is {task['size']}, but {model} is a {what}, which takes images of the size it was "
                f"pretrained with (images.size, {size}): drop size, or {other_one}"
            )
        if task["task"] in OF_LABELS:
            continue
        other = [arm for arm in arms(config, name, model) if arm["network"] != "light"]
        if other and task["size"] % MULTIPLE:
            raise UserError(
                f"{place}.size is {task['size']}, but the arm {other[0]['name']} ({other[0]['network']}) takes "
                f"multiples of {MULTIPLE}: change size, or name arms without it"
            )


def _of_one_size(recipe: Mapping) -> tuple[str, str]:
    """What a network is that takes no image of another size than the pretraining's, and what else to do; else empty."""
    if str(recipe.get("image_encoder")).startswith("vit"):
        return "ViT", "take a ResNet"
    if "image_encoder" not in recipe and "method" in recipe and methods()[recipe["method"]].draws:
        return methods()[recipe["method"]].title, "name other models"
    return "", ""
