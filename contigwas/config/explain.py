"""Check the block explain, and list the explained models and their methods. torch is not imported."""

from collections.abc import Mapping

from contigwas.config.models import methods as pretraining_methods
from contigwas.runtime.errors import UserError

INTEGRATED_GRADIENTS, DEEPLIFT = "integrated_gradients", "deeplift"


def missing_requirement(recipe: Mapping[str, object]) -> str:
    """The reason why a model cannot be explained; empty if it can."""
    for kind in ("embeddings", "phenotypes", "apply"):
        if "method" not in recipe and kind in recipe:
            return f"has no checkpoint of this run ({kind}:)"
    return "" if recipe.get("modalities") else "contrasts images with no modality"


def left_out(config: Mapping, model: str) -> list[str]:
    """The attribution methods of the block that do not support the encoders of a model."""
    method = config["models"][model].get("method")
    # DeepLIFT in captum has no rule for the scans, attention and GELU of these encoders
    unsupported = method is not None and pretraining_methods()[method].tokens
    return [one for one in config["explain"]["methods"] if unsupported and one == DEEPLIFT]


def methods(config: Mapping, model: str) -> list[str]:
    """The attribution methods of a model."""
    return [one for one in config["explain"]["methods"] if one not in left_out(config, model)]


def explained(config: Mapping) -> list[str]:
    """The explained models: those that the block names, else all that can be explained; none without the block."""
    block = config.get("explain")
    if block is None:
        return []
    if block["models"] is not None:
        return list(block["models"])
    return [
        name for name, recipe in config["models"].items() if not missing_requirement(recipe) and methods(config, name)
    ]


def check_explain(config: Mapping) -> None:
    """Raise UserError if the block names a model or a method that cannot be used."""
    block = config.get("explain")
    if block is None:
        return
    for name in block["models"] or []:
        if name not in config["models"]:
            raise UserError(f"config: explain.models names {name}, which is not one of models: correct it")
        reason = missing_requirement(config["models"][name])
        if reason:
            raise UserError(f"config: explain.models names {name}, which {reason}: name another model, or remove it")
        if left_out(config, name):
            raise UserError(
                f"config: explain.methods has deeplift, which does not support the encoders of {name} (method "
                f"{config['models'][name]['method']}): remove it, or remove {name} from explain.models"
            )
    if block["private"] > block["n_samples"]:
        raise UserError(
            f"config: explain.private is {block['private']}, but only {block['n_samples']} (explain.n_samples) are "
            "explained: lower explain.private or raise explain.n_samples"
        )
    if not explained(config):
        raise UserError(
            f"config: explain has no model: none of {', '.join(config['models'])} is trained in this run on a modality "
            "with an encoder that explain.methods support: add one, or remove the block"
        )


def require(models: list[str]) -> list[str]:
    """`models`. Raises UserError if it is empty."""
    if not models:
        raise UserError("config: there is no explain: block, which this target needs: add it")
    return models
