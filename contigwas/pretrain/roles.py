"""Who trains, who validates and who is held out from the network of one fold."""

from collections.abc import Mapping, Sequence

import numpy as np

from contigwas.samples.folds import assign_folds, heldout_share

ROLES = TRAIN, VALIDATION, HELDOUT = "train", "validation", "heldout"
UNUSED = "unused"  # not held out, but the network never saw them: they lack what the recipe asks for
NEW = "new"  # of another cohort than that of the training


def split(families: Sequence[str], settings: Mapping[str, object], fold: int) -> np.ndarray:
    """The role of each person, by hash of the family: str, the shape of `families`.

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
