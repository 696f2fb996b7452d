"""Training and validation samples of one fold as tensors in memory; batches are index gathers."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from contigwas.images.array import Photographs, load_photographs
from contigwas.images.table import read_images
from contigwas.pretrain.roles import HELDOUT, ROLES, TRAIN, UNUSED, VALIDATION, split
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from contigwas.samples.folds import stable_hash
from contigwas.tables.anndata_io import MISSING, read_modality
from contigwas.tables.sample_ids import require_overlap, rows_of
from contigwas.tables.text import require

log = logging.getLogger(__name__)
DEVICE_SHARE = 0.5  # of a GPU's free memory: larger training data stay in host memory
PREFETCHED = 2  # batches fetched while the current one is processed


class Batch(NamedTuple):
    """Positions of samples and of one image of each: int64 (samples,); `pixels` only where they were prefetched."""

    samples: Tensor
    images: Tensor
    pixels: Tensor | None = None


@dataclass(frozen=True)
class Genetics:
    """One modality.

    Attributes:
        values: raw values (samples that have it, features).
        row: the row of each sample of the training data in `values`, -1 where missing: int64 (samples,).
        features: names of the features.
        components: genetic components (samples that have it, pcs) to regress out of the features; pcs may be 0.
    """

    values: Tensor
    row: Tensor
    features: list[str]
    components: Tensor

    @property
    def present(self) -> Tensor:
        """Whether each sample has the modality: bool (samples,)."""
        return self.row >= 0

    def gather(self, rows: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return values and components of the rows `rows` on `device`."""
        rows = rows.to(self.values.device, non_blocking=True)
        return self.values[rows].to(device, non_blocking=True), self.components[rows].to(device, non_blocking=True)

    def to(self, device: torch.device) -> "Genetics":
        """Return a copy with values and components on `device`."""
        return replace(self, values=self.values.to(device), components=self.components.to(device))


@dataclass(frozen=True)
class TrainingData:
    """The training and validation samples of one fold, in the order of the cohort.

    Attributes:
        photographs: the images of these samples.
        genetics: the modalities by name.
        train, validation: positions of samples, int64.
        roles: hashes of the IIDs of the whole cohort by role.
    """

    photographs: Photographs
    genetics: dict[str, Genetics]
    train: Tensor
    validation: Tensor
    roles: dict[str, list[int]]

    def size(self) -> int:
        """Return the bytes of pixels and genetics."""
        tensors = [self.photographs.pixels, *(modality.values for modality in self.genetics.values())]
        return sum(one.numel() * one.element_size() for one in tensors)

    def to(self, device: torch.device) -> "TrainingData":
        """Return a copy with pixels and genetics on `device`, where batches are then gathered."""
        genetics = {name: one.to(device) for name, one in self.genetics.items()}
        return replace(self, photographs=self.photographs.to(device), genetics=genetics)


def load_genetics(path: PathLike, iids: pd.Index, pcs: pd.DataFrame | None = None) -> Genetics:
    """Read the raw values of one modality for `iids`; samples without any value count as samples without the modality.

    `pcs` (indexed by IID) are components to regress out of the features. Samples without components count as samples
    without the modality, too. Raises UserError for infinite values.
    """
    data = read_modality(path)
    row = rows_of(iids, data.obs_names)
    values = data.X[row[row >= 0]]
    values = values.toarray() if sparse.issparse(values) else np.asarray(values)
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
        infinite = np.isinf(values).any(axis=0)
        if infinite.any():
            raise UserError(
                f"{path}: feature {data.var_names[infinite][0]} and {int(infinite.sum()) - 1} other features have "
                "infinite values: correct them, or leave unknown values empty"
            )
        absent = np.isnan(values).all(axis=1)
    else:
        absent = np.zeros(len(values), dtype=bool)
    components = np.empty((len(values), 0), np.float32)
    if pcs is not None:
        components = pcs.reindex(iids[row >= 0]).to_numpy(np.float32)
        without_pcs = np.isnan(components).any(axis=1)
        log.info(
            "%d samples without genetic components are treated as samples without %s",
            (without_pcs & ~absent).sum(),
            Path(path).stem,
        )
        absent |= without_pcs
    row[np.flatnonzero(row >= 0)[absent]] = -1
    values, components = np.ascontiguousarray(values[~absent]), np.ascontiguousarray(components[~absent])
    _log_missing(path, values, list(data.var_names))
    row[row >= 0] = np.arange(len(values))
    return Genetics(
        *(torch.from_numpy(array) for array in (values, row)), list(data.var_names), torch.from_numpy(components)
    )


def _log_missing(path: PathLike, values: np.ndarray, features: list[str]) -> None:
    """Log the number of missing values of a modality, and the feature with the most."""
    if not values.size:
        return
    missing = (np.isnan(values) if values.dtype.kind == "f" else values == MISSING).sum(axis=0)
    if missing.any():
        worst = int(missing.argmax())
        log.info(
            "%s: %d values of %d features are missing, most of %s (%d of %d samples): training means replace them",
            path,
            int(missing.sum()),
            int((missing > 0).sum()),
            features[worst],
            int(missing[worst]),
            len(values),
        )


def load_training_data(
    cohort: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    modalities: Mapping[str, PathLike],
    settings: Mapping[str, object],
    fold: int,
    pcs: PathLike | None = None,
) -> TrainingData:
    """Load the data that the network of fold `fold` may use: training and validation samples with an image.

    With modalities, `settings["aggregate"]` selects the samples: `inner` (samples with all modalities) or `outer`
    (samples with at least one). The first `settings["adjust_pcs"]` components of the table `pcs` are regressed out of
    the modalities in `settings["adjust"]`. Raises UserError when no training sample remains.
    """
    samples = read_included(cohort)
    roles = split(samples["family"].tolist(), settings, fold)
    images = read_images(images_table)
    require_overlap(samples["iid"], images["iid"].unique(), "the cohort", f"the images ({images_table})")
    imaged = samples["iid"].isin(images["iid"]).to_numpy()
    _check_images(roles, imaged, images_table, settings, fold)
    log.info("%d of %d samples have no usable image and are excluded", int((~imaged).sum()), len(samples))
    inside = imaged & (roles != HELDOUT)
    iids = pd.Index(samples.loc[inside, "iid"])
    components = read_components(pcs, int(settings.get("adjust_pcs", 0)))
    adjusted = settings.get("adjust", ())
    genetics = {
        name: load_genetics(path, iids, components if name in adjusted else None) for name, path in modalities.items()
    }
    role = roles[inside]
    if genetics:
        inner = settings["aggregate"] == "inner"
        present = torch.stack([one.present for one in genetics.values()])
        complete = (present.all(dim=0) if inner else present.any(dim=0)).numpy()
        needed = "all modalities" if inner else "any modality"
        log.info("%d of %d samples do not have %s and are excluded", int((~complete).sum()), len(iids), needed)
    else:
        complete = np.ones(len(iids), dtype=bool)
    train = torch.from_numpy(np.flatnonzero(complete & (role == TRAIN)))
    validation = torch.from_numpy(np.flatnonzero(complete & (role == VALIDATION)))
    _check(train, genetics, modalities, settings, fold)
    log.info("fold %d: %d training samples, %d validation samples", fold, len(train), len(validation))
    for name, one in genetics.items():
        log.info("fold %d: %d of the training samples have %s", fold, int(one.present[train].sum()), name)
    used = np.ones(len(samples), dtype=bool)
    used[np.flatnonzero(inside)] = complete
    roles = np.where(used, roles, UNUSED)
    # hashes instead of IIDs: a checkpoint records its samples without naming them
    hashes = {name: samples.loc[roles == name, "iid"].map(stable_hash).tolist() for name in (*ROLES, UNUSED)}
    return TrainingData(load_photographs(images_npy, images, iids), genetics, train, validation, hashes)


def _check_images(
    roles: np.ndarray, imaged: np.ndarray, images_table: PathLike, settings: Mapping[str, object], fold: int
) -> None:
    """Raise UserError when no training sample, or no held-out sample, has an image."""
    for role in (TRAIN, HELDOUT) if (roles == HELDOUT).any() else (TRAIN,):
        if not (imaged & (roles == role)).any():
            raise UserError(
                f"{images_table}: none of the {int((roles == role).sum())} "
                f"{'training' if role == TRAIN else 'held-out'} samples of fold {fold} has a usable image: supply "
                "their images, or change samples.folds or samples.heldout"
            )


def read_components(pcs: PathLike | None, count: int) -> pd.DataFrame | None:
    """Return the first `count` genetic components indexed by IID; None without `pcs` or with `count` 0."""
    if pcs is None or not count:
        return None
    table = pd.read_parquet(require(pcs, "the genetic components")).astype({"iid": str})
    return table.set_index("iid")[[f"PC{number + 1}" for number in range(count)]]


def _check(
    train: Tensor,
    genetics: Mapping[str, Genetics],
    modalities: Mapping[str, PathLike],
    settings: Mapping[str, object],
    fold: int,
) -> None:
    """Raise UserError when a modality has no training sample, or when the training samples are fewer than a batch."""
    if genetics and settings["aggregate"] == "inner" and not len(train):
        counts = ", ".join(f"{int(one.present.sum())} {name}" for name, one in genetics.items())
        raise UserError(
            f"no training sample of fold {fold} has all modalities ({counts}): write aggregate: outer in the recipe, "
            "or drop a modality"
        )
    for name, one in genetics.items():
        if not one.present[train].any():
            raise UserError(
                f"{modalities[name]}: no training sample of fold {fold} has {name}: drop the modality from the recipe, "
                "or supply samples that have it"
            )
    if settings.get("batch", 1) > len(train):
        raise UserError(
            f"batch is {settings['batch']}, but fold {fold} has only {len(train)} training samples: lower batch in the "
            "recipe"
        )


class Batches:
    """Batches of training samples in random order, for one epoch per iteration.

    Each sample occurs once per epoch with one random image, so two images of one sample are never in the same batch.
    The last, incomplete batch is dropped, because the loss depends on the number of negatives. Process `rank` of
    `world` gets its share of every batch. With `ahead`, a thread gathers the pixels of the next batches: for images
    that do not fit on the device. The state can be saved within an epoch.
    """

    def __init__(
        self,
        samples: Tensor,
        photographs: Photographs,
        batch: int,
        generator: torch.Generator,
        ahead: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.samples, self.photographs, self.batch, self.generator = samples, photographs, batch, generator
        self.ahead, self.share = ahead, slice(rank * batch // world, (rank + 1) * batch // world)
        self._position, self._resumed = 0, 0
        self._started = generator.get_state()

    def __len__(self) -> int:
        return len(self.samples) // self.batch

    def __iter__(self) -> Iterator[Batch]:
        self._started = self.generator.get_state()
        self._position, self._resumed = self._resumed, 0
        order = self.samples[torch.randperm(len(self.samples), generator=self.generator)]
        uniform = torch.rand(len(order), generator=self.generator, dtype=torch.float64)
        images = self.photographs.first[order] + (uniform * self.photographs.count[order]).long()
        batches = [
            Batch(order[start : start + self.batch][self.share], images[start : start + self.batch][self.share])
            for start in range(self._position * self.batch, len(self) * self.batch, self.batch)
        ]
        for batch in prefetch(batches, self.photographs) if self.ahead else batches:
            self._position += 1
            yield batch

    def state(self) -> dict[str, object]:
        """Return the position in the epoch: its first random state, the batches so far, the current random state.

        It is not named state_dict: Lightning would restore that itself, but only for an unfinished epoch.
        """
        return {"started": self._started, "position": self._position, "now": self.generator.get_state()}

    def resume_from(self, state: Mapping[str, object]) -> None:
        """Restore a state: the next iteration continues the saved epoch."""
        inside = state["position"] < len(self)
        self._resumed = state["position"] if inside else 0
        self.generator.set_state(state["started" if inside else "now"])


class ValidationBatches:
    """Batches of validation samples in a fixed order, each sample with its first image."""

    def __init__(self, samples: Tensor, photographs: Photographs, batch: int) -> None:
        images = photographs.first[samples]
        self.batches = [Batch(*part) for part in zip(samples.split(batch), images.split(batch), strict=True)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def prefetch(batches: Iterable[Batch], photographs: Photographs) -> Iterator[Batch]:
    """Yield the batches with their pixels, which a thread gathers into page-locked memory in advance."""

    def fetch(batch: Batch) -> Batch:
        pixels = photographs.gather(batch.images)
        return batch._replace(pixels=pixels.pin_memory() if torch.cuda.is_available() else pixels)

    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Batch]] = deque()
        for batch in batches:
            waiting.append(thread.submit(fetch, batch))
            if len(waiting) > PREFETCHED:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
