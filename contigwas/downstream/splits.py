"""Who trains and who is tested in a task with labels: always by sample, in a cohort by family."""

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
    """One division of the labelled samples.

    network: of which fold the pretrained network is; train, test: int64 positions of samples; seen: how many of the
    tested samples' images that network was trained on (without labels); None where nobody knows, of features that were
    user-supplied.
    """

    network: int
    train: np.ndarray
    test: np.ndarray
    seen: int | None


def networks(cohort: bool, folds: int) -> range:
    """The folds of a model whose networks a task needs."""
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
    """The splits of `samples` (iid family), for the checkpoints `states` of the folds that `networks` names.

    In a cohort those are tested whom a network held out from its pretraining: of a cross-fitted model everyone once, of
    a single network that holds samples out those. Else samples are divided into `folds` by hash of the family, and the
    network is that of fold 0; so they are without any state, where features were user-supplied or applied. Of these samples
    only the `tested` are tested (bool (samples,), None: everyone), the others train in every split of another family;
    `trained` (None: nobody knows) are those whose images the networks were trained on. Raises UserError where a split
    has nobody to train on or to test.
    """
    if not states:
        return _by_hash(samples, trained, table, folds, seed, tested)
    if not cohort:
        _require_strangers(samples, states[0], table)
        return _by_hash(samples, _trained(samples, states[0]), table, folds, seed)
    roles = [roles_of(samples, state) for state in states]
    if len(states) == 1 and not (roles[0] == HELDOUT).any():
        if states[0]["roles"][HELDOUT]:
            raise UserError(
                f"none of the {len(samples)} samples of {table} is held out from the network: label some of those "
                "who are, or cross-fit with folds: 3 or more"
            )
        return _by_hash(samples, _trained(samples, states[0]), table, folds, seed)
    result = []
    for number, role in enumerate(roles):
        held = role == HELDOUT
        if not held.any() or held.all():
            raise UserError(
                f"of the {len(samples)} samples of {table} {int(held.sum())} are held out from the network of fold "
                f"{number}, which leaves nobody to {'train on' if held.all() else 'test'}: label more samples"
            )
        result.append(Split(number, np.flatnonzero(~held), np.flatnonzero(held), 0))
    return result


def _require_strangers(samples: pd.DataFrame, state: Mapping, table: object) -> None:
    known = known_roles(state)
    inside = sum(stable_hash(one) in known for one in samples["iid"])
    if inside == len(samples):
        raise UserError(
            f"all {inside} samples of {table} are in the cohort, but the task says cohort: false: write true, so that "
            "nobody is tested whom the pretraining saw and families stay together"
        )
    if inside:
        log.warning("%d of the %d samples of %s are called like samples of the cohort", inside, len(samples), table)


def _trained(samples: pd.DataFrame, state: Mapping) -> np.ndarray:
    """Whose images the network of a state was trained on: bool (samples,)."""
    known = known_roles(state)
    return np.array([known.get(stable_hash(one)) == TRAIN for one in samples["iid"]])


def _by_hash(
    samples: pd.DataFrame,
    trained: np.ndarray | None,
    table: object,
    folds: int,
    seed: int,
    tested: np.ndarray | None = None,
) -> list[Split]:
    tested = np.full(len(samples), True) if tested is None else tested
    these = "samples with usable labels"
    if not tested.all():
        these += " who may be tested (the applied networks were not trained on them)"
        log.info("%d of %d samples of %s may be tested, the others only train", tested.sum(), len(samples), table)
    if tested.sum() < folds:
        raise UserError(f"{table} has {tested.sum()} {these}, fewer than the {folds} folds: lower folds")
    number = assign_folds(samples["family"].tolist(), folds, seed)
    result = []
    for fold in range(folds):
        own = number == fold
        test = own & tested
        if not test.any() or own.all():
            raise UserError(
                f"the {tested.sum()} {these} of {table}, who are dealt by hash, leave fold {fold} of {folds} with "
                f"{'everyone' if own.all() else 'nobody'}: lower folds, or supply more samples"
            )
        count = None if trained is None else int(trained[test].sum())
        result.append(Split(0, np.flatnonzero(~own), np.flatnonzero(test), count))
    return result


def subset(iids: Sequence[str], share: float, seed: str) -> np.ndarray:
    """Positions of a share of samples (at least one), drawn by hash: a smaller share lies in a larger one."""
    order = sorted(range(len(iids)), key=lambda place: stable_hash(f"labels:{seed}:{iids[place]}"))
    return np.sort(np.array(order[: max(1, round(share * len(iids)))]))
