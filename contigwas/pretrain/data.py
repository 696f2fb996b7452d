"""The people of one fold as tensors in memory: pixels, raw genetics, who has what; batches are index gathers."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.modality import read_modality
from contigwas.people import require_overlap, require_unique, rows_of
from contigwas.pretrain.roles import HELDOUT, ROLES, TRAIN, UNUSED, VALIDATION, split
from contigwas.samples.cohort import read_cohort
from contigwas.samples.folds import stable_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Photographs:
    """All kept photographs of some people, person after person.

    pixels: uint8 (images, 3, height, width), channels last in memory; first, count: int64 (people,): the images of
    person i are first[i] … first[i] + count[i] - 1.
    """

    pixels: Tensor
    first: Tensor
    count: Tensor


@dataclass(frozen=True)
class Genetics:
    """One modality: raw values (people who have it, features); each person's row there, -1 without: int64 (people,).

    The last `pcs` columns of the values are genetic components, which are to be taken out of the features.
    """

    values: Tensor
    row: Tensor
    features: list[str]
    pcs: int = 0

    @property
    def present(self) -> Tensor:
        """Who has it: bool (people,)."""
        return self.row >= 0


@dataclass(frozen=True)
class Study:
    """The people that one fold's network learns from or is validated on, in the cohort's order.

    train, validation: int64 positions of people; roles: hashes of the whole cohort's IIDs by role.
    """

    photographs: Photographs
    genetics: dict[str, Genetics]
    train: Tensor
    validation: Tensor
    roles: dict[str, list[int]]


def kept_people(cohort: PathLike) -> pd.DataFrame:
    """The people of cohort.tsv who are in the study: iid, family and the other columns, in the file's order."""
    people = read_cohort(cohort)
    require_unique(people["iid"], cohort)
    return people[people["excluded"] == ""].reset_index(drop=True)


def read_images(table: PathLike) -> pd.DataFrame:
    """The kept images of images.parquet: row, iid and the other columns."""
    images = pd.read_parquet(require(table, "the table of images"))
    return images[images["kept"]]


def load_photographs(npy: PathLike, images: pd.DataFrame, iids: pd.Index) -> Photographs:
    """Read the pixels of the photographs of `iids` (each of whom has one) into memory."""
    person = rows_of(images["iid"], iids)
    order = np.argsort(person, kind="stable")
    order = order[person[order] >= 0]
    pixels = np.load(require(npy, "the array of images"), mmap_mode="r")[images["row"].to_numpy()[order]]
    count = np.bincount(person[order], minlength=len(iids))
    first = np.cumsum(count) - count
    return Photographs(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(first), torch.from_numpy(count))


def load_genetics(path: PathLike, iids: pd.Index, pcs: pd.DataFrame | None = None) -> Genetics:
    """Read the raw values of one modality for those of `iids` who have it; whoever misses every value has none.

    `pcs` (indexed by IID) are components that will be taken out of the features; who lacks them has none either.
    """
    data = read_modality(path)
    row = rows_of(iids, data.obs_names)
    values = data.X[row[row >= 0]]
    values = values.toarray() if sparse.issparse(values) else np.asarray(values)
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
        absent = np.isnan(values).all(axis=1)
    else:
        absent = np.zeros(len(values), dtype=bool)
    count = 0
    if pcs is not None:
        count = pcs.shape[1]
        beside = pcs.reindex(iids[row >= 0]).to_numpy(np.float32)
        lacking = np.isnan(beside).any(axis=1)
        log.info("%d people have no genetic components and so no %s", (lacking & ~absent).sum(), Path(path).stem)
        absent |= lacking
        values = np.hstack([values.astype(np.float32), beside])
    row[np.flatnonzero(row >= 0)[absent]] = -1
    values = values[~absent]
    row[row >= 0] = np.arange(len(values))
    return Genetics(torch.from_numpy(np.ascontiguousarray(values)), torch.from_numpy(row), list(data.var_names), count)


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

    With modalities, `settings["aggregate"]` says who takes part: `inner` (people with all), `outer` (with at least
    one). `settings["adjust_pcs"]` of the components in the table `pcs` go with the polygenic scores. Someone without a
    photograph takes no part.
    """
    people = kept_people(cohort)
    roles = split(people["family"].tolist(), settings, fold)
    images = read_images(images_table)
    require_overlap(people["iid"], images["iid"].unique(), "the cohort", f"the images ({images_table})")
    seen = people["iid"].isin(images["iid"]).to_numpy()
    log.info("%d of %d people have no usable image and take no part", int((~seen).sum()), len(people))
    inside = seen & (roles != HELDOUT)
    iids = pd.Index(people.loc[inside, "iid"])
    beside = _components(pcs, int(settings.get("adjust_pcs", 0)))
    genetics = {name: load_genetics(path, iids, beside if name == "pgs" else None) for name, path in modalities.items()}
    here = roles[inside]
    if genetics:
        inner = settings["aggregate"] == "inner"
        present = torch.stack([one.present for one in genetics.values()])
        takes_part = (present.all(dim=0) if inner else present.any(dim=0)).numpy()
        needed = "all modalities" if inner else "any modality"
        log.info("%d of %d people do not have %s and take no part", int((~takes_part).sum()), len(iids), needed)
    else:
        takes_part = np.ones(len(iids), dtype=bool)
    train = torch.from_numpy(np.flatnonzero(takes_part & (here == TRAIN)))
    validation = torch.from_numpy(np.flatnonzero(takes_part & (here == VALIDATION)))
    _check(train, genetics, modalities, settings, fold)
    log.info("fold %d: %d people train, %d validate", fold, len(train), len(validation))
    for name, one in genetics.items():
        log.info("fold %d: %d of the training people have %s", fold, int(one.present[train].sum()), name)
    used = np.ones(len(people), dtype=bool)
    used[np.flatnonzero(inside)] = takes_part
    roles = np.where(used, roles, UNUSED)
    # hashes instead of IIDs: a checkpoint knows whom it saw, and names nobody
    hashes = {role: people.loc[roles == role, "iid"].map(stable_hash).tolist() for role in (*ROLES, UNUSED)}
    return Study(load_photographs(images_npy, images, iids), genetics, train, validation, hashes)


def _components(pcs: PathLike | None, count: int) -> pd.DataFrame | None:
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
    for name, one in genetics.items():
        if not one.present[train].any():
            raise UserError(
                f"no training person of fold {fold} has {name} ({modalities[name]}): "
                "drop the modality from the recipe, or bring people who have it"
            )
    if settings["batch"] > len(train):
        raise UserError(
            f"a batch is {settings['batch']} people, but only {len(train)} can be trained on in fold {fold}: "
            "lower batch in the recipe"
        )


class Batches:
    """An epoch's batches of training people in random order: pairs of int64 (people,), who and which image of theirs.

    A person stands once in an epoch, so two eyes of one person are never in a batch; the eye is drawn anew each time.
    The last, incomplete batch is left out: the loss depends on how many negatives there are.
    """

    def __init__(self, people: Tensor, photographs: Photographs, batch: int, generator: torch.Generator) -> None:
        self.people, self.photographs, self.batch, self.generator = people, photographs, batch, generator

    def __len__(self) -> int:
        return len(self.people) // self.batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.people[torch.randperm(len(self.people), generator=self.generator)]
        drawn = torch.rand(len(order), generator=self.generator, dtype=torch.float64)
        images = self.photographs.first[order] + (drawn * self.photographs.count[order]).long()
        for start in range(0, len(self) * self.batch, self.batch):
            yield order[start : start + self.batch], images[start : start + self.batch]


class Chunks:
    """The validation people in a fixed order, each with the first image: pairs of int64 (people,)."""

    def __init__(self, people: Tensor, photographs: Photographs, batch: int) -> None:
        self.people, self.images, self.batch = people, photographs.first[people], batch

    def __len__(self) -> int:
        return -(-len(self.people) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.people), self.batch):
            yield self.people[start : start + self.batch], self.images[start : start + self.batch]
