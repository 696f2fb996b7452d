"""Explanations: whether each network leaves enough samples for a reference batch and for those who are explained."""

from collections.abc import Mapping, Sequence

import pandas as pd

from contigwas.config.explain import explained
from contigwas.config.settings import folds
from contigwas.preflight.context import Study


def check(study: Study) -> None:
    """A warning for each model whose networks leave about fewer samples than the block explain asks for, else a fact."""
    imaged = study.imaged
    if imaged is None:
        return
    for model in explained(study.config):
        block, networks = study.config["explain"], folds(study.config, model)
        who, samples = _fewest(study, imaged, study.config["models"][model]["modalities"])
        left = int(samples * _share(study.config, networks))
        needed = block["reference"] + -(-block["n_samples"] // networks)
        reported = f"each network of {model} leaves about {left:,} samples with an image{who} untrained"
        if left < needed:
            study.findings.warn(
                "explain.reference",
                f"{reported}, fewer than the {needed:,} of the reference and to be explained: lower explain.reference or "
                "explain.n_samples",
            )
        else:
            study.findings.fact("explain", f"{reported}; {needed:,} of them are the reference or explained")


def _fewest(study: Study, imaged: pd.Index, modalities: Sequence[str]) -> tuple[str, int]:
    """How many samples have an image and the modality that the fewest have, and its name where somebody lacks it."""
    fewest = "", len(imaged)
    for name in modalities:
        source = {"burden": "exome"}.get(name, name)
        if source in study.samples:
            samples = int(imaged.isin(study.samples[source]).sum())
            if samples < fewest[1]:
                fewest = f" and {name}", samples
    return fewest


def _share(config: Mapping, networks: int) -> float:
    """Of the samples, whom a network holds out."""
    return 1 / networks if networks > 1 else config["samples"]["heldout"]
