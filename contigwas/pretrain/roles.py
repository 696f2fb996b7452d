"""Who trains, who validates and who is held out from the network of one fold."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.samples.folds import assign_folds, heldout_share, stable_hash

log = logging.getLogger(__name__)

ROLES = TRAIN, VALIDATION, HELDOUT = "train", "validation", "heldout"
UNUSED = "unused"  # not held out, but the network never saw them: they lack what the recipe asks for
NEW = "new"  # of another cohort than that of the training


def split(families: Sequence[str], settings: Mapping[str, object], fold: int) -> np.ndarray:
    """The role of each sample, by hash of the family: str, the shape of `families`.

    With three or more `folds`, fold `fold` is held out. With one, a method with `modalities` leaves out the share
    `heldout`, and a method that never sees genetics holds nobody out. The share `validation` of the other families
    is kept from training. Relatives share a role.
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
    """The role of everyone whom a checkpoint knows, by the hash of the IID."""
    return {one: role for role, hashes in state["roles"].items() for one in hashes}


def roles_of(samples: pd.DataFrame, state: Mapping[str, object]) -> np.ndarray:
    """The role of each of `samples` (iid, family) in the training of a checkpoint: str (samples,).

    Whoever joined the cohort since has the role of the family's hash.
    """
    known, hashes = known_roles(state), samples["iid"].map(stable_hash)
    roles = split(samples["family"].tolist(), state["settings"], state["fold"])
    there = hashes.isin(list(known)).to_numpy()
    if not there.all():
        log.warning("%d samples were not in the cohort when the network was trained", int((~there).sum()))
    return np.array([known.get(one, role) for one, role in zip(hashes, roles, strict=True)], dtype=object)
