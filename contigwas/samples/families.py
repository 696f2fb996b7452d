"""Families and unrelated samples, from pairs of relatives."""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heappush

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from contigwas.samples.folds import stable_hash
from contigwas.tables.sample_ids import rows_of


def related_pairs(iids: Sequence[str], kinship: pd.DataFrame, min_kinship: float = 0.0) -> np.ndarray:
    """Positions in `iids` of the pairs with `kinship` above `min_kinship` whose members both are in `iids`.

    `kinship` has the columns iid1, iid2, kinship. int64 (pairs, 2).
    """
    above = kinship[kinship["kinship"] > min_kinship]
    pairs = np.column_stack([rows_of(above["iid1"].astype(str), iids), rows_of(above["iid2"].astype(str), iids)])
    return pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])].astype(np.int64)


def families(iids: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """A name for each sample's family: the smallest hash (hex digest) of an IID in the connected component.

    It depends on nobody outside the component, so no one else moves when an unrelated sample leaves. `pairs` are
    positions in `iids`, (pairs, 2). Returns strings, shape (samples,).
    """
    samples = len(iids)
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(samples, samples))
    _, component = connected_components(links, directed=False)
    digests = pd.Series([blake2b(iid.encode(), digest_size=8).hexdigest() for iid in iids], dtype=str)
    return digests.groupby(component).transform("min").to_numpy(dtype=str)


def unrelated(iids: Sequence[str], pairs: np.ndarray, seed: int) -> np.ndarray:
    """A large set of samples with no pair among them, to which nobody can be added: bool (samples,).

    Greedy, as plink2 --king-cutoff: as long as someone has a single relative left, that relative goes, which loses
    nobody; else the sample with the most relatives left goes. Ties by hash. Who then has no relative in the set comes
    back.
    """
    relatives: dict[int, set[int]] = {}
    for one, other in pairs.tolist():
        relatives.setdefault(one, set()).add(other)
        relatives.setdefault(other, set()).add(one)
    every = {sample: frozenset(near) for sample, near in relatives.items()}
    order = {sample: stable_hash(f"related:{seed}:{iids[sample]}") for sample in relatives}
    queue = [(_rank(len(near)), order[sample], sample) for sample, near in relatives.items()]
    heapify(queue)
    kept = np.ones(len(iids), bool)
    while queue:
        rank, _, sample = heappop(queue)
        if sample not in relatives or not relatives[sample] or _rank(len(relatives[sample])) != rank:
            continue
        leaves = sample
        if len(relatives[sample]) == 1:
            (only,) = relatives[sample]
            leaves = only if len(relatives[only]) > 1 else sample
        kept[leaves] = False
        for other in relatives.pop(leaves):
            relatives[other].discard(leaves)
            heappush(queue, (_rank(len(relatives[other])), order[other], other))
    for sample in sorted(every, key=order.__getitem__):
        kept[sample] |= not any(kept[other] for other in every[sample])
    return kept


def _rank(relatives: int) -> int:
    """Who is looked at first, the smaller number: samples with one relative, then those with the most."""
    return np.iinfo(np.int64).min if relatives == 1 else -relatives
