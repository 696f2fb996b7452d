"""What a schema cannot say of a model's recipe: keys that refer to one another, to the images, or to its modalities."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from contigwas.runtime.errors import UserError

HEAD = 32  # channels of an attention head of a transformer that reads genes
SCHEMA = Path(__file__).with_name("config.schema.yaml")


@dataclass(frozen=True)
class Method:
    """What the schema says of a method beside its keys.

    heads: what embed.layer may name besides modalities; views: images that pass the network for each one counted, 0
    where nothing is trained; draws: whether it draws images from features; tokens: whether its encoders of modalities
    have tokens; title: what it is, in a few words.
    """

    heads: tuple[str, ...]
    views: int
    draws: bool
    tokens: bool
    title: str


@cache
def read_schema() -> dict:
    """The schema of the config; it is read once."""
    return yaml.safe_load(SCHEMA.read_text())


def methods() -> dict[str, Method]:
    """All methods, by the name that a recipe gives them, in the schema's order. torch is not imported."""
    defined = read_schema()["$defs"]
    named = {name: defined[name] for name in defined["shared"]["properties"]["method"]["enum"]}
    return {
        name: Method(
            heads=tuple(one.get("x-heads", ())),
            views=one["x-views"],
            draws=one.get("x-decoder", False),
            tokens=one.get("x-tokens", False),
            title=one["x-title"],
        )
        for name, one in named.items()
    }


def check_recipe(name: str, recipe: Mapping[str, object], config: Mapping) -> None:
    """Raise UserError where keys of the recipe (with its defaults) contradict each other, or would do nothing.

    Keys of another image encoder (`width`, `norm` of a ResNet, `patch` of a ViT) are ignored: recipes share blocks.
    """
    place = f"config: models.{name}"
    modalities = recipe.get("modalities", [])
    if recipe.get("noise") and "covariates" not in modalities:
        raise UserError(
            f"{place}.noise is {recipe['noise']}, but its modalities lack covariates, beside which noise stands: add "
            "covariates, or drop noise"
        )
    if recipe.get("genetics_init") == "gwas" and recipe["genetics_encoder"] != "linear":
        raise UserError(
            f"{place}.genetics_init is gwas, but its genetics_encoder is {recipe['genetics_encoder']}: only a linear "
            "one can start from betas"
        )
    if recipe.get("adjust_pcs"):
        _check_adjust(place, recipe["adjust"], modalities)
    if recipe.get("warmup") and recipe["schedule"] == "onecycle":
        raise UserError(
            f"{place}.warmup is {recipe['warmup']}, but its schedule is onecycle, which rises by itself: drop warmup, "
            "or write schedule: cosine"
        )
    if "queue" in recipe and recipe["queue"] < recipe["batch"]:
        raise UserError(
            f"{place}.queue is {recipe['queue']}, less than its batch of {recipe['batch']}: raise queue, or lower batch"
        )
    size = config["images"]["size"]
    if str(recipe.get("image_encoder")).startswith("vit") and size % recipe["patch"]:
        raise UserError(
            f"{place}.patch is {recipe['patch']}, into which images.size of {size} does not divide: change one of them"
        )
    if recipe.get("gene_encoder") == "transformer" and recipe["gene_width"] % max(1, recipe["gene_width"] // HEAD):
        raise UserError(
            f"{place}.gene_width is {recipe['gene_width']}, which a transformer's heads do not share evenly: write a "
            f"multiple of {HEAD}"
        )
    _check_layer(name, recipe, config)


def _check_adjust(place: str, adjust: list[str], modalities: list[str]) -> None:
    odd = [one for one in adjust if one not in modalities]
    if odd or not adjust:
        what = f"names {odd[0]}, which is not among its modalities" if odd else "is empty"
        raise UserError(
            f"{place}.adjust {what}: name those of {', '.join(modalities)} that adjust_pcs are to be regressed out of"
        )


def _check_layer(name: str, recipe: Mapping[str, object], config: Mapping) -> None:
    """`embed.layer` must be a head that the model has: one a modality, and those that the schema says of its method."""
    own = (recipe.get("embed") or {}).get("layer")
    layer = own or config["embed"]["layer"]
    heads = [*methods()[recipe["method"]].heads, *recipe.get("modalities", [])]
    if layer not in ("trunk", *heads):
        key = f"models.{name}.embed.layer" if own else "embed.layer"
        raise UserError(
            f"config: {key} is {layer}, but the model {name} has no head of that name: write "
            f"{' or '.join(['trunk', *heads])}{'' if own else f' in models.{name}.embed.layer'}"
        )
