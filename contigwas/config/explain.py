"""Which models are explained, and by what: what a schema cannot say of the block explain. torch is not imported."""

from collections.abc import Mapping

from contigwas.config.models import methods as methods_known
from contigwas.runtime.errors import UserError

INTEGRATED_GRADIENTS, DEEPLIFT = "integrated_gradients", "deeplift"


def lacks(recipe: Mapping[str, object]) -> str:
    """What a model lacks to be explained; empty where it has everything."""
    for kind in ("embeddings", "phenotypes", "apply"):
        if "method" not in recipe and kind in recipe:
            return f"has no checkpoint of this run ({kind}:)"
    return "" if recipe.get("modalities") else "contrasts images with no modality"


def left_out(config: Mapping, model: str) -> list[str]:
    """The methods of the block that a model's encoders cannot have."""
    method = config["models"][model].get("method")
    cannot = (
        method is not None and methods_known()[method].tokens
    )  # scans, attention, GELU: captum has no rule for them
    return [one for one in config["explain"]["methods"] if cannot and one == DEEPLIFT]


def methods(config: Mapping, model: str) -> list[str]:
    """The methods that a model is explained by."""
    return [one for one in config["explain"]["methods"] if one not in left_out(config, model)]


def explained(config: Mapping) -> list[str]:
    """The models that are explained: those that the block names, else all that can be; none where it is absent."""
    block = config.get("explain")
    if block is None:
        return []
    if block["models"] is not None:
        return list(block["models"])
    return [name for name, recipe in config["models"].items() if not lacks(recipe) and methods(config, name)]


def check_explain(config: Mapping) -> None:
    """Raise UserError where the block asks for what a model has not."""
    block = config.get("explain")
    if block is None:
        return
    for name in block["models"] or []:
        if name not in config["models"]:
            raise UserError(f"config: explain.models names {name}, which is not among models: correct it")
        why = lacks(config["models"][name])
        if why:
            raise UserError(f"config: explain.models names {name}, which {why}: name another model, or leave it out")
        if left_out(config, name):
            raise UserError(
                f"config: explain.methods has deeplift, which has no rule for the encoders of {name} (method "
                f"{config['models'][name]['method']}): take it out, or take {name} out of explain.models"
            )
    if block["private"] > block["n_samples"]:
        raise UserError(
            f"config: explain.private is {block['private']}, but only {block['n_samples']} (explain.n_samples) are "
            "explained: lower the one or raise the other"
        )
    if not explained(config):
        raise UserError(
            f"config: explain has no model: none of {', '.join(config['models'])} is trained here on a modality by an "
            "encoder that explain.methods can take: add one, or drop the block"
        )


def require(models: list[str]) -> list[str]:
    """`models`, or a UserError where nothing is explained."""
    if not models:
        raise UserError("config: there is no explain: block, which this target needs: add it")
    return models
