"""Who is explained and who is the reference: drawn by hash from samples that the network did not train on."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from contigwas.pretrain.data import read_components
from contigwas.pretrain.roles import HELDOUT, VALIDATION, known_roles, roles_of
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from contigwas.samples.folds import stable_hash
from contigwas.tables.sample_ids import require_overlap, require_unique, rows_of
from contigwas.tables.text import require

log = logging.getLogger(__name__)
BLOCK = 1024  # samples read at a time


@dataclass(frozen=True)
class Drawn:
    """IIDs: of the reference of each modality, of those who are explained, and of these by modality that they have."""

    reference: dict[str, list[str]]
    chosen: list[str]
    explained: dict[str, list[str]]

    @property
    def everyone(self) -> list[str]:
        """Each sample once."""
        parts = [*self.reference.values(), self.chosen]
        return [*dict.fromkeys(one for part in parts for one in part)]


def candidates(state: Mapping[str, object], cohort: PathLike, images: pd.DataFrame) -> pd.Index:
    """IIDs with an image whom a network held out, or, where it held nobody out, who validated it.

    Raises UserError where there is nobody.
    """
    samples = read_included(cohort)
    require_overlap(samples["iid"], images["iid"].unique(), "the cohort", "the images")
    samples = samples[samples["iid"].isin(images["iid"])].reset_index(drop=True)
    roles = roles_of(samples, state)
    role = HELDOUT if (roles == HELDOUT).any() else VALIDATION
    found = pd.Index(samples.loc[roles == role, "iid"])
    if not len(found):
        raise UserError(
            f"the network of fold {state['fold']} trained on everyone with an image, so nobody can explain it: give "
            "the recipe folds, or raise samples.heldout or samples.validation"
        )
    return found


def partner(sample: str, reference: Sequence[str], seed: int) -> int:
    """Which of `reference` a sample is compared with, by hash: whoever's partner stays, stays with that one."""
    return min(range(len(reference)), key=lambda one: stable_hash(f"baseline:{seed}:{sample}:{reference[one]}"))


def left_since(state: Mapping[str, object], cohort: PathLike) -> int:
    """How many samples of a network's training, of any role, are not in the cohort any more."""
    return len({*known_roles(state)} - {stable_hash(one) for one in read_included(cohort)["iid"]})


def draw(
    samples: pd.Index, present: Mapping[str, np.ndarray], reference: int, explained: int, seed: int, fold: int
) -> Drawn:
    """Draw by hash of the IIDs, so that nobody else moves when one sample leaves; the two sets share nobody.

    `present`: who of `samples` has each modality, bool (samples,). Raises UserError where there are not enough.
    """
    order = sorted(range(len(samples)), key=lambda one: stable_hash(f"reference:{seed}:{samples[one]}"))
    beside = {name: [samples[one] for one in order if has[one]][:reference] for name, has in present.items()}
    for name, found in beside.items():
        if len(found) < reference:
            raise UserError(
                f"config: explain.reference is {reference}, but of the samples that the network of fold {fold} did not "
                f"train on only {len(found)} have an image and {name}: lower it"
            )
    taken = {one for found in beside.values() for one in found}
    order = sorted(range(len(samples)), key=lambda one: stable_hash(f"explained:{seed}:{samples[one]}"))
    anything = np.any([*present.values()], axis=0)
    chosen = [one for one in order if anything[one] and samples[one] not in taken][:explained]
    if len(chosen) < explained:
        log.warning(
            "fold %d: %d samples are left beside the reference, fewer than the %d who were to be explained: lower "
            "explain.reference, or explain.n_samples",
            fold,
            len(chosen),
            explained,
        )
    found = {name: [samples[one] for one in chosen if has[one]] for name, has in present.items()}
    for name, those in found.items():
        if not any(one not in taken for one in samples[present[name]]):
            raise UserError(
                f"config: explain.reference is {reference}, which leaves nobody with {name} to explain of those whom "
                f"the network of fold {fold} did not train on: lower it"
            )
        log.info("fold %d: %d of the %d samples to explain lack %s", fold, len(chosen) - len(those), len(chosen), name)
    return Drawn(beside, [samples[one] for one in chosen], found)


def who_has(path: PathLike, samples: pd.Index, components: pd.DataFrame | None) -> np.ndarray:
    """Who has a value of a modality, and the components where those are taken out of it: bool (samples,)."""
    with closing(_Open(path)) as data:
        rows = rows_of(samples, data.names)
        has = rows >= 0
        if data.floating:
            for part in np.array_split(np.flatnonzero(has), max(1, -(-int(has.sum()) // BLOCK))):
                has[part] = ~np.isnan(data.read(rows[part])).all(axis=1)
    if components is not None:
        has &= components.reindex(samples).notna().all(axis=1).to_numpy()
    return has


def read_values(path: PathLike, samples: list[str]) -> Tensor:
    """Raw values (samples, features) of samples that have the modality; nothing else is read."""
    with closing(_Open(path)) as data:
        values = data.read(rows_of(samples, data.names))
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
        if np.isinf(values).any():
            raise UserError(f"{path} holds infinite values: correct them, or leave them empty where unknown")
    return torch.from_numpy(np.ascontiguousarray(values))


def components_of(pcs: PathLike | None, recipe: Mapping[str, object], modality: str) -> pd.DataFrame | None:
    """The genetic components that a recipe takes out of a modality, by IID; None where it takes none."""
    if modality not in recipe.get("adjust", ()):
        return None
    return read_components(pcs, int(recipe.get("adjust_pcs", 0)))


class _Open:
    """A modality on disk, of which rows are read."""

    def __init__(self, path: PathLike) -> None:
        try:
            self.data = ad.read_h5ad(require(path, "the modality"), backed="r")
        except (OSError, KeyError):
            raise UserError(f"{path} is not an AnnData .h5ad file: make it again") from None
        self.names = self.data.obs_names
        require_unique(self.names, path)

    @property
    def floating(self) -> bool:
        """Whether a missing value is NaN."""
        return np.issubdtype(self.data.X.dtype, np.floating)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Dense (rows, features), in the order of `rows`."""
        order = np.sort(rows)  # HDF5 reads ascending rows only
        values = self.data.X[order]
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        return values[np.searchsorted(order, rows)]

    def close(self) -> None:
        """Close the file."""
        self.data.file.close()
