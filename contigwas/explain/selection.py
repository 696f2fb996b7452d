"""Selection of explained samples and of the reference by hash, from samples that the network did not train on."""

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
class Selection:
    """IIDs of the selected samples.

    Attributes:
        reference: of each modality, its reference samples.
        chosen: the explained samples.
        explained: of each modality, the explained samples that have it.
    """

    reference: dict[str, list[str]]
    chosen: list[str]
    explained: dict[str, list[str]]

    @property
    def all_samples(self) -> list[str]:
        """Each selected sample once."""
        parts = [*self.reference.values(), self.chosen]
        return [*dict.fromkeys(iid for part in parts for iid in part)]


def candidates(state: Mapping[str, object], cohort: PathLike, images: pd.DataFrame) -> pd.Index:
    """Return IIDs with an image that the network held out, or its validation samples if it held out none.

    Raises UserError when there is none.
    """
    samples = read_included(cohort)
    require_overlap(samples["iid"], images["iid"].unique(), "the cohort", "the images")
    samples = samples[samples["iid"].isin(images["iid"])].reset_index(drop=True)
    roles = roles_of(samples, state)
    role = HELDOUT if (roles == HELDOUT).any() else VALIDATION
    found = pd.Index(samples.loc[roles == role, "iid"])
    if not len(found):
        raise UserError(
            f"the network of fold {state['fold']} was trained on all samples with an image, so none is left to "
            "explain: set folds in the recipe, or raise samples.heldout or samples.validation"
        )
    return found


def partner(sample: str, reference: Sequence[str], seed: int) -> int:
    """Return the index in `reference` of the sample that is the baseline of `sample`.

    It is chosen by hash, so that it changes only if that reference sample is removed.
    """
    return min(range(len(reference)), key=lambda one: stable_hash(f"baseline:{seed}:{sample}:{reference[one]}"))


def count_removed(state: Mapping[str, object], cohort: PathLike) -> int:
    """Return how many samples of the network's training, of any role, are not in the cohort any more."""
    return len({*known_roles(state)} - {stable_hash(one) for one in read_included(cohort)["iid"]})


def select(
    samples: pd.Index, present: Mapping[str, np.ndarray], reference: int, explained: int, seed: int, fold: int
) -> Selection:
    """Select reference and explained samples by hash of the IIDs; no sample is in both sets.

    When one sample is removed, the roles of the others stay the same. `present`: whether each of `samples` has a
    modality, bool (samples,). Raises UserError when there are too few samples.
    """
    order = sorted(range(len(samples)), key=lambda one: stable_hash(f"reference:{seed}:{samples[one]}"))
    references = {name: [samples[one] for one in order if has[one]][:reference] for name, has in present.items()}
    for name, found in references.items():
        if len(found) < reference:
            raise UserError(
                f"config: explain.reference is {reference}, but of the samples that the network of fold {fold} did not "
                f"train on only {len(found)} have an image and {name}: lower it"
            )
    taken = {iid for found in references.values() for iid in found}
    order = sorted(range(len(samples)), key=lambda one: stable_hash(f"explained:{seed}:{samples[one]}"))
    has_any = np.any([*present.values()], axis=0)
    chosen = [one for one in order if has_any[one] and samples[one] not in taken][:explained]
    if len(chosen) < explained:
        log.warning(
            "fold %d: the reference leaves %d samples, fewer than the %d to explain: lower explain.reference or "
            "explain.n_samples",
            fold,
            len(chosen),
            explained,
        )
    found = {name: [samples[one] for one in chosen if has[one]] for name, has in present.items()}
    for name, iids in found.items():
        if not any(one not in taken for one in samples[present[name]]):
            raise UserError(
                f"config: explain.reference is {reference}, which leaves no sample with {name} to explain among those "
                f"that the network of fold {fold} did not train on: lower it"
            )
        log.info("fold %d: %d of the %d explained samples have no %s", fold, len(chosen) - len(iids), len(chosen), name)
    return Selection(references, [samples[one] for one in chosen], found)


def has_modality(path: PathLike, samples: pd.Index, components: pd.DataFrame | None) -> np.ndarray:
    """Return whether each sample has a value of a modality, and its genetic components if needed: bool (samples,)."""
    with closing(_ModalityFile(path)) as data:
        rows = rows_of(samples, data.names)
        has = rows >= 0
        if data.floating:
            for part in np.array_split(np.flatnonzero(has), max(1, -(-int(has.sum()) // BLOCK))):
                has[part] = ~np.isnan(data.read(rows[part])).all(axis=1)
    if components is not None:
        has &= components.reindex(samples).notna().all(axis=1).to_numpy()
    return has


def read_values(path: PathLike, samples: list[str]) -> Tensor:
    """Read raw values (samples, features) of samples that have the modality. Raises UserError for infinite values."""
    with closing(_ModalityFile(path)) as data:
        values = data.read(rows_of(samples, data.names))
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
        if np.isinf(values).any():
            raise UserError(f"{path} holds infinite values: correct them, or leave unknown values empty")
    return torch.from_numpy(np.ascontiguousarray(values))


def components_of(pcs: PathLike | None, recipe: Mapping[str, object], modality: str) -> pd.DataFrame | None:
    """Return the genetic components that a recipe regresses out of a modality, by IID; None if there are none."""
    if modality not in recipe.get("adjust", ()):
        return None
    return read_components(pcs, int(recipe.get("adjust_pcs", 0)))


class _ModalityFile:
    """A modality on disk, of which single rows are read."""

    def __init__(self, path: PathLike) -> None:
        try:
            self.data = ad.read_h5ad(require(path, "the modality"), backed="r")
        except (OSError, KeyError):
            raise UserError(f"{path} is not an AnnData .h5ad file: create it again") from None
        self.names = self.data.obs_names
        require_unique(self.names, path)

    @property
    def floating(self) -> bool:
        """Whether the values are floats, in which NaN is missing."""
        return np.issubdtype(self.data.X.dtype, np.floating)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return dense values (rows, features) in the order of `rows`."""
        order = np.sort(rows)  # HDF5 reads ascending rows only
        values = self.data.X[order]
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        return values[np.searchsorted(order, rows)]

    def close(self) -> None:
        """Close the file."""
        self.data.file.close()
