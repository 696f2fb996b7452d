"""Read the methods from the schema, and check the recipe of a model for contradictions between its keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from contigwas.runtime.errors import UserError

HEAD = 32  # channels per attention head of a transformer as gene encoder
SCHEMA = Path(__file__).with_name("config.schema.yaml")


@dataclass(frozen=True)
class Method:
    """Properties of a method in the schema, in addition to its keys.

    Attributes:
        heads: heads that embed.layer may name in addition to the modalities.
        views: forward passes per image; 0 if nothing is trained.
        has_decoder: whether it reconstructs images from features.
        tokens: whether its genetics encoders have tokens.
        title: short name.
    """

    heads: tuple[str, ...]
    views: int
    has_decoder: bool
    tokens: bool
    title: str


@cache
def read_schema() -> dict:
    """The schema of the config, which is read once."""
    return yaml.safe_load(SCHEMA.read_text())


def methods() -> dict[str, Method]:
    """All methods by name, in the order of the schema. torch is not imported."""
    definitions = read_schema()["$defs"]
    named = {name: definitions[name] for name in definitions["shared"]["properties"]["method"]["enum"]}
    return {
        name: Method(
            heads=tuple(one.get("x-heads", ())),
            views=one["x-views"],
            has_decoder=one.get("x-decoder", False),
            tokens=one.get("x-tokens", False),
            title=one["x-title"],
        )
        for name, one in named.items()
    }


def check_recipe(name: str, recipe: Mapping[str, object], config: Mapping) -> None:
    """Raise UserError if keys of the recipe (with its defaults) contradict each other or have no effect.

    Keys of another image encoder (`width` and `norm` of a ResNet, `patch` of a ViT) are ignored, because recipes share
    blocks of keys.
    """
    place = f"config: models.{name}"
    modalities = recipe.get("modalities", [])
    if recipe.get("noise") and "covariates" not in modalities:
        raise UserError(
            f"{place}.noise is {recipe['noise']}, but covariates are not among its modalities, and noise is added to "
            "the covariates: add covariates, or remove noise"
        )
    if recipe.get("genetics_init") == "gwas" and recipe["genetics_encoder"] != "linear":
        raise UserError(
            f"{place}.genetics_init is gwas, but its genetics_encoder is {recipe['genetics_encoder']}: only linear "
            "weights can be initialised from a GWAS. Change one of them"
        )
    if recipe.get("adjust_pcs"):
        _check_adjust(place, recipe["adjust"], modalities)
    if recipe.get("warmup") and recipe["schedule"] == "onecycle":
        raise UserError(
            f"{place}.warmup is {recipe['warmup']}, but its schedule is onecycle, which has a warm-up already: remove "
            "warmup, or write schedule: cosine"
        )
    if "queue" in recipe and recipe["queue"] < recipe["batch"]:
        raise UserError(
            f"{place}.queue is {recipe['queue']}, less than its batch of {recipe['batch']}: raise queue, or lower batch"
        )
    size = config["images"]["size"]
    if str(recipe.get("image_encoder")).startswith("vit") and size % recipe["patch"]:
        raise UserError(
            f"{place}.patch is {recipe['patch']}, but images.size is {size}, which is not a multiple of it: change one "
            "of them"
        )
    if recipe.get("gene_encoder") == "transformer" and recipe["gene_width"] % max(1, recipe["gene_width"] // HEAD):
        raise UserError(
            f"{place}.gene_width is {recipe['gene_width']}, which the heads of a transformer cannot share evenly: "
            f"write a multiple of {HEAD}"
        )
    _check_layer(name, recipe, config)


def _check_adjust(place: str, adjust: list[str], modalities: list[str]) -> None:
    unknown = [one for one in adjust if one not in modalities]
    if unknown or not adjust:
        mistake = f"names {unknown[0]}, which is not one of its modalities" if unknown else "is empty"
        raise UserError(
            f"{place}.adjust {mistake}: name modalities from which adjust_pcs are regressed out (of "
            f"{', '.join(modalities)})"
        )


def _check_layer(name: str, recipe: Mapping[str, object], config: Mapping) -> None:
    """Raise UserError if `embed.layer` is neither trunk nor a modality of the model nor a head of its method."""
    override = (recipe.get("embed") or {}).get("layer")
    layer = override or config["embed"]["layer"]
    heads = [*methods()[recipe["method"]].heads, *recipe.get("modalities", [])]
    if layer not in ("trunk", *heads):
        key = f"models.{name}.embed.layer" if override else "embed.layer"
        raise UserError(
            f"config: {key} is {layer}, but the model {name} has no such head: write "
            f"{' or '.join(['trunk', *heads])}{'' if override else f' in models.{name}.embed.layer'}"
        )
