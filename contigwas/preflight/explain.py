"""Check that each network has enough held-out samples for its reference batch and for the samples to explain."""

from collections.abc import Mapping, Sequence

import pandas as pd

from contigwas.config.explain import explained
from contigwas.config.settings import folds
from contigwas.preflight.context import PreflightContext


def check(context: PreflightContext) -> None:
    """Add a warning for each model with fewer held-out samples than the block explain needs, else a fact."""
    imaged = context.imaged
    if imaged is None:
        return
    for model in explained(context.config):
        block, networks = context.config["explain"], folds(context.config, model)
        modality, samples = _rarest_modality(context, imaged, context.config["models"][model]["modalities"])
        heldout = int(samples * _heldout_share(context.config, networks))
        needed = block["reference"] + -(-block["n_samples"] // networks)
        text = f"each network of {model} holds out about {heldout:,} samples with an image{modality}"
        if heldout < needed:
            context.findings.warn(
                "explain.reference",
                f"{text}, fewer than the {needed:,} samples of the reference batch and to explain: lower "
                "explain.reference or explain.n_samples",
            )
        else:
            context.findings.fact("explain", f"{text}; {needed:,} of them are the reference batch or explained")


def _rarest_modality(context: PreflightContext, imaged: pd.Index, modalities: Sequence[str]) -> tuple[str, int]:
    """The modality with the smallest number of samples with an image, as ` and NAME`, and this number.

    The text is empty if every sample with an image has every modality.
    """
    rarest = "", len(imaged)
    for name in modalities:
        source = {"burden": "exome"}.get(name, name)
        if source in context.samples:
            samples = int(imaged.isin(context.samples[source]).sum())
            if samples < rarest[1]:
                rarest = f" and {name}", samples
    return rarest


def _heldout_share(config: Mapping, networks: int) -> float:
    """The share of samples that a network holds out."""
    return 1 / networks if networks > 1 else config["samples"]["heldout"]
