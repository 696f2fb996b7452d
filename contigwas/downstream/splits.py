"""Training and test samples of a task with labels. All images of a sample, and families of a cohort, stay together."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.pretrain.roles import HELDOUT, TRAIN, known_roles, roles_of
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import assign_folds, stable_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """Training and test samples of one fit.

    network: fold of the pretrained network.
    train, test: int64 positions of samples.
    seen: number of test samples whose images were used to pretrain that network (without labels); None if unknown, as
    for user-supplied features.
    """

    network: int
    train: np.ndarray
    test: np.ndarray
    seen: int | None


def networks(cohort: bool, folds: int) -> range:
    """Return the folds of a model whose networks a task needs."""
    return range(folds) if cohort and folds > 1 else range(1)


def splits(
    samples: pd.DataFrame,
    states: Sequence[Mapping],
    table: object,
    cohort: bool,
    folds: int,
    seed: int,
    tested: np.ndarray | None = None,
    trained: np.ndarray | None = None,
) -> list[Split]:
    """Return the splits of `samples` (columns iid family). `states` are the checkpoints of the folds in `networks`.

    With a cohort, test samples are those that the network held out from its pretraining: for a cross-fitted model every
    sample once, for a single network its held-out samples. In all other cases samples are assigned to `folds` by a hash
    of the family, and the network is that of fold 0. The same holds without checkpoints (`states` is empty), for
    user-supplied features and applied models. Then only samples in `tested` (bool (samples,); None: all) are test
    samples; the others are training samples in every split in which their family is not tested. `trained`
    (bool (samples,); None: unknown) marks samples whose images were used to train the networks.

    Raises UserError if a split has no training samples or no test samples.
    """
    if not states:
        return _by_hash(samples, trained, table, folds, seed, tested)
    if not cohort:
        _require_external(samples, states[0], table)
        return _by_hash(samples, _trained_on(samples, states[0]), table, folds, seed)
    roles = [roles_of(samples, state) for state in states]
    if len(states) == 1 and not (roles[0] == HELDOUT).any():
        if states[0]["roles"][HELDOUT]:
            raise UserError(
                f"{table}: none of the {len(samples)} labelled samples is held out from the network. Label held-out "
                "samples, or cross-fit the model with folds: 3 or more."
            )
        return _by_hash(samples, _trained_on(samples, states[0]), table, folds, seed)
    result = []
    for number, role in enumerate(roles):
        heldout = role == HELDOUT
        if not heldout.any() or heldout.all():
            raise UserError(
                f"{table}: {int(heldout.sum())} of the {len(samples)} labelled samples are held out from the network "
                f"of fold {number}, which leaves no {'training' if heldout.all() else 'test'} samples. Label more "
                "samples."
            )
        result.append(Split(number, np.flatnonzero(~heldout), np.flatnonzero(heldout), 0))
    return result


def _require_external(samples: pd.DataFrame, state: Mapping, table: object) -> None:
    """Raise UserError if all samples of an external set have IDs of the cohort, and log a warning if some have."""
    roles = known_roles(state)
    shared = sum(stable_hash(one) in roles for one in samples["iid"])
    if shared == len(samples):
        raise UserError(
            f"{table}: all {shared} samples are in the cohort, but the task has cohort: false. Set cohort: true, so "
            "that no training sample of the network is tested and families stay together."
        )
    if shared:
        log.warning("%d of the %d samples of %s have the IDs of samples of the cohort", shared, len(samples), table)


def _trained_on(samples: pd.DataFrame, state: Mapping) -> np.ndarray:
    """Return bool (samples,): whether the network of a checkpoint was trained on images of the sample."""
    roles = known_roles(state)
    return np.array([roles.get(stable_hash(one)) == TRAIN for one in samples["iid"]])


def _by_hash(
    samples: pd.DataFrame,
    trained: np.ndarray | None,
    table: object,
    folds: int,
    seed: int,
    tested: np.ndarray | None = None,
) -> list[Split]:
    tested = np.full(len(samples), True) if tested is None else tested
    description = "samples with usable labels"
    if not tested.all():
        description += " that can be tested (the applied networks were not trained on them)"
        log.info("%d of %d samples of %s can be tested; the others only train", tested.sum(), len(samples), table)
    if tested.sum() < folds:
        raise UserError(f"{table} has {tested.sum()} {description}, fewer than the {folds} folds: lower folds")
    number = assign_folds(samples["family"].tolist(), folds, seed)
    result = []
    for fold in range(folds):
        own = number == fold
        test = own & tested
        if not test.any() or own.all():
            raise UserError(
                f"{table}: the hash assigns {'all' if own.all() else 'none'} of the {tested.sum()} {description} to "
                f"fold {fold} of {folds}. Lower folds, or supply more samples."
            )
        count = None if trained is None else int(trained[test].sum())
        result.append(Split(0, np.flatnonzero(~own), np.flatnonzero(test), count))
    return result


def subset(iids: Sequence[str], share: float, seed: str) -> np.ndarray:
    """Return positions of a share of samples (at least one), chosen by hash: smaller shares are subsets of larger."""
    order = sorted(range(len(iids)), key=lambda place: stable_hash(f"labels:{seed}:{iids[place]}"))
    return np.sort(np.array(order[: max(1, round(share * len(iids)))]))
