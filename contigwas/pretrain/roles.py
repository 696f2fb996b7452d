"""Roles of samples for the network of one fold: training, validation or held out."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.samples.folds import assign_folds, heldout_share, stable_hash

log = logging.getLogger(__name__)

ROLES = TRAIN, VALIDATION, HELDOUT = "train", "validation", "heldout"
UNUSED = "unused"  # neither trained on nor held out: a modality that the recipe needs is missing
NEW = "new"  # from a cohort other than that of the training


def split(families: Sequence[str], settings: Mapping[str, object], fold: int) -> np.ndarray:
    """Return the role of each sample by hash of its family: str (samples,).

    With `folds` of 3 or more, fold `fold` is held out. With one fold, a method with `modalities` holds out the share
    `heldout`; a method without genetics holds out no sample. The share `validation` of the other families is used for
    validation. Relatives have the same role.
    """
    folds, seed = int(settings["folds"]), int(settings["seed"])
    roles = np.full(len(families), TRAIN, dtype=object)
    roles[heldout_share(families, settings["validation"], seed, salt="validation")] = VALIDATION
    if folds > 1:
        roles[assign_folds(families, folds, seed) == fold] = HELDOUT
    elif settings.get("modalities"):
        roles[heldout_share(families, settings["heldout"], seed, salt="heldout")] = HELDOUT
    return roles


def known_roles(state: Mapping[str, object]) -> dict[int, str]:
    """Return the role of each sample that a checkpoint records, by the hash of the IID."""
    return {iid_hash: role for role, hashes in state["roles"].items() for iid_hash in hashes}


def roles_of(samples: pd.DataFrame, state: Mapping[str, object]) -> np.ndarray:
    """Return the role of each of `samples` (iid, family) in the training of a checkpoint: str (samples,).

    A sample that joined the cohort after the training has the role of its family's hash.
    """
    recorded, hashes = known_roles(state), samples["iid"].map(stable_hash)
    roles = split(samples["family"].tolist(), state["settings"], state["fold"])
    is_recorded = hashes.isin(list(recorded)).to_numpy()
    if not is_recorded.all():
        log.warning("%d samples were not in the cohort when the network was trained", int((~is_recorded).sum()))
    return np.array([recorded.get(one, role) for one, role in zip(hashes, roles, strict=True)], dtype=object)
