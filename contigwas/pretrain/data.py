"""The samples of one fold as tensors in memory: pixels, raw genetics, who has what; batches are index gathers."""

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
DEVICE_SHARE = 0.5  # of a GPU's free memory: a study larger than that stays in the host's memory
AHEAD = 2  # batches fetched while one is in work


class Batch(NamedTuple):
    """Who, and which image of theirs: int64 (samples,); the images' pixels where they were fetched ahead."""

    samples: Tensor
    images: Tensor
    pixels: Tensor | None = None


@dataclass(frozen=True)
class Genetics:
    """One modality: raw values (samples that have it, features); each sample's row there, -1 without: int64 (samples,).

    components: genetic components (samples that have it, pcs) that are to be taken out of the features; may have none.
    """

    values: Tensor
    row: Tensor
    features: list[str]
    components: Tensor

    @property
    def present(self) -> Tensor:
        """Who has it: bool (samples,)."""
        return self.row >= 0

    def gather(self, rows: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Values and components of some rows, on `device`."""
        rows = rows.to(self.values.device, non_blocking=True)
        return self.values[rows].to(device, non_blocking=True), self.components[rows].to(device, non_blocking=True)

    def to(self, device: torch.device) -> "Genetics":
        """The same with values and components on `device`."""
        return replace(self, values=self.values.to(device), components=self.components.to(device))


@dataclass(frozen=True)
class Study:
    """The samples that one fold's network learns from or is validated on, in the cohort's order.

    train, validation: int64 positions of samples; roles: hashes of the whole cohort's IIDs by role.
    """

    photographs: Photographs
    genetics: dict[str, Genetics]
    train: Tensor
    validation: Tensor
    roles: dict[str, list[int]]

    def size(self) -> int:
        """Bytes of pixels and genetics."""
        tensors = [self.photographs.pixels, *(one.values for one in self.genetics.values())]
        return sum(one.numel() * one.element_size() for one in tensors)

    def to(self, device: torch.device) -> "Study":
        """The same with pixels and genetics resident on `device`: batches are then gathered there."""
        genetics = {name: one.to(device) for name, one in self.genetics.items()}
        return replace(self, photographs=self.photographs.to(device), genetics=genetics)


def load_genetics(path: PathLike, iids: pd.Index, pcs: pd.DataFrame | None = None) -> Genetics:
    """Read the raw values of one modality for those of `iids` who have it; whoever misses every value has none.

    `pcs` (indexed by IID) are components that will be taken out of the features; who lacks them has none either.
    Raises UserError for a value that is infinite.
    """
    data = read_modality(path)
    row = rows_of(iids, data.obs_names)
    values = data.X[row[row >= 0]]
    values = values.toarray() if sparse.issparse(values) else np.asarray(values)
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
        odd = np.isinf(values).any(axis=0)
        if odd.any():
            raise UserError(
                f"{path}: feature {data.var_names[odd][0]} has infinite values (as have {int(odd.sum()) - 1} others): "
                "correct them, or leave them empty where unknown"
            )
        absent = np.isnan(values).all(axis=1)
    else:
        absent = np.zeros(len(values), dtype=bool)
    beside = np.empty((len(values), 0), np.float32)
    if pcs is not None:
        beside = pcs.reindex(iids[row >= 0]).to_numpy(np.float32)
        lacking = np.isnan(beside).any(axis=1)
        log.info("%d samples have no genetic components and so no %s", (lacking & ~absent).sum(), Path(path).stem)
        absent |= lacking
    row[np.flatnonzero(row >= 0)[absent]] = -1
    values, beside = np.ascontiguousarray(values[~absent]), np.ascontiguousarray(beside[~absent])
    _tell_missing(path, values, list(data.var_names))
    row[row >= 0] = np.arange(len(values))
    return Genetics(*(torch.from_numpy(one) for one in (values, row)), list(data.var_names), torch.from_numpy(beside))


def _tell_missing(path: PathLike, values: np.ndarray, features: list[str]) -> None:
    """Log how much of a modality will be imputed, and in which feature the most."""
    if not values.size:
        return
    lacking = (np.isnan(values) if values.dtype.kind == "f" else values == MISSING).sum(axis=0)
    if lacking.any():
        worst = int(lacking.argmax())
        log.info(
            "%s: %d values of %d features are missing, most of %s (%d of %d samples): training means stand in for them",
            path,
            int(lacking.sum()),
            int((lacking > 0).sum()),
            features[worst],
            int(lacking[worst]),
            len(values),
        )


def load_study(
    cohort: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    modalities: Mapping[str, PathLike],
    settings: Mapping[str, object],
    fold: int,
    pcs: PathLike | None = None,
) -> Study:
    """Everything that the network of fold `fold` may see. Raises UserError when nobody is left to train on.

    With modalities, `settings["aggregate"]` says who takes part: `inner` (samples with all), `outer` (with at least
    one). `settings["adjust_pcs"]` of the components in the table `pcs` go with the modalities of `settings["adjust"]`.
    Someone without a photograph takes no part.
    """
    samples = read_included(cohort)
    roles = split(samples["family"].tolist(), settings, fold)
    images = read_images(images_table)
    require_overlap(samples["iid"], images["iid"].unique(), "the cohort", f"the images ({images_table})")
    seen = samples["iid"].isin(images["iid"]).to_numpy()
    _check_images(roles, seen, images_table, settings, fold)
    log.info("%d of %d samples have no usable image and take no part", int((~seen).sum()), len(samples))
    inside = seen & (roles != HELDOUT)
    iids = pd.Index(samples.loc[inside, "iid"])
    beside = read_components(pcs, int(settings.get("adjust_pcs", 0)))
    adjusted = settings.get("adjust", ())
    genetics = {
        name: load_genetics(path, iids, beside if name in adjusted else None) for name, path in modalities.items()
    }
    here = roles[inside]
    if genetics:
        inner = settings["aggregate"] == "inner"
        present = torch.stack([one.present for one in genetics.values()])
        takes_part = (present.all(dim=0) if inner else present.any(dim=0)).numpy()
        needed = "all modalities" if inner else "any modality"
        log.info("%d of %d samples do not have %s and take no part", int((~takes_part).sum()), len(iids), needed)
    else:
        takes_part = np.ones(len(iids), dtype=bool)
    train = torch.from_numpy(np.flatnonzero(takes_part & (here == TRAIN)))
    validation = torch.from_numpy(np.flatnonzero(takes_part & (here == VALIDATION)))
    _check(train, genetics, modalities, settings, fold)
    log.info("fold %d: %d samples train, %d validate", fold, len(train), len(validation))
    for name, one in genetics.items():
        log.info("fold %d: %d of the training samples have %s", fold, int(one.present[train].sum()), name)
    used = np.ones(len(samples), dtype=bool)
    used[np.flatnonzero(inside)] = takes_part
    roles = np.where(used, roles, UNUSED)
    # hashes instead of IIDs: a checkpoint knows whom it saw, and names nobody
    hashes = {role: samples.loc[roles == role, "iid"].map(stable_hash).tolist() for role in (*ROLES, UNUSED)}
    return Study(load_photographs(images_npy, images, iids), genetics, train, validation, hashes)


def _check_images(
    roles: np.ndarray, seen: np.ndarray, images_table: PathLike, settings: Mapping[str, object], fold: int
) -> None:
    for role in (TRAIN, HELDOUT) if (roles == HELDOUT).any() else (TRAIN,):
        if not (seen & (roles == role)).any():
            raise UserError(
                f"of the {int((roles == role).sum())} {'training' if role == TRAIN else 'held-out'} samples of fold "
                f"{fold} nobody has a usable image ({images_table}): supply images of them, or change samples.folds or "
                "samples.heldout"
            )


def read_components(pcs: PathLike | None, count: int) -> pd.DataFrame | None:
    """The first `count` components by IID, or None."""
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
    if genetics and settings["aggregate"] == "inner" and not len(train):
        counts = ", ".join(f"{int(one.present.sum())} {name}" for name, one in genetics.items())
        raise UserError(
            f"nobody who is to train in fold {fold} has all modalities ({counts}): write aggregate: outer, or drop one"
        )
    for name, one in genetics.items():
        if not one.present[train].any():
            raise UserError(
                f"no training sample of fold {fold} has {name} ({modalities[name]}): "
                "drop the modality from the recipe, or supply samples that have it"
            )
    if settings.get("batch", 1) > len(train):
        raise UserError(
            f"a batch is {settings['batch']} samples, but only {len(train)} can be trained on in fold {fold}: "
            "lower batch in the recipe"
        )


class Batches:
    """An epoch's batches of training samples in random order.

    A sample stands once in an epoch, so two eyes of one sample are never in a batch; the eye is drawn anew each time.
    The last, incomplete batch is left out: the loss depends on how many negatives there are. Of `world` processes each
    gets its share of every batch. With `ahead` the pixels are fetched by a thread while the last batch is in work:
    for images that do not fit on the device. Its state can be saved in the middle of an epoch.
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
        drawn = torch.rand(len(order), generator=self.generator, dtype=torch.float64)
        images = self.photographs.first[order] + (drawn * self.photographs.count[order]).long()
        batches = [
            Batch(order[start : start + self.batch][self.share], images[start : start + self.batch][self.share])
            for start in range(self._position * self.batch, len(self) * self.batch, self.batch)
        ]
        for batch in fetched_ahead(batches, self.photographs) if self.ahead else batches:
            self._position += 1
            yield batch

    def state(self) -> dict[str, object]:
        """Where the epoch is: its first random state, how many batches were given, and the random state now.

        Not named state_dict: Lightning would then restore it itself, but only where an epoch was left unfinished.
        """
        return {"started": self._started, "position": self._position, "now": self.generator.get_state()}

    def resume_from(self, state: Mapping[str, object]) -> None:
        """Let the next iteration resume from there."""
        inside = state["position"] < len(self)
        self._resumed = state["position"] if inside else 0
        self.generator.set_state(state["started" if inside else "now"])


class Chunks:
    """The validation samples in a fixed order, each with the first image."""

    def __init__(self, samples: Tensor, photographs: Photographs, batch: int) -> None:
        images = photographs.first[samples]
        self.chunks = [Batch(*part) for part in zip(samples.split(batch), images.split(batch), strict=True)]

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.chunks)


def fetched_ahead(batches: Iterable[Batch], photographs: Photographs) -> Iterator[Batch]:
    """The batches with their pixels, which a thread gathers into page-locked memory one batch ahead."""

    def fetch(batch: Batch) -> Batch:
        pixels = photographs.gather(batch.images)
        return batch._replace(pixels=pixels.pin_memory() if torch.cuda.is_available() else pixels)

    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Batch]] = deque()
        for batch in batches:
            waiting.append(thread.submit(fetch, batch))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
