"""Families and sets of unrelated samples, from pairs of relatives."""

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
    """Return the positions in `iids` of the pairs with a kinship above `min_kinship`: int64 (pairs, 2).

    `kinship` has the columns iid1, iid2 and kinship. Pairs are skipped unless both samples are in `iids`.
    """
    above = kinship[kinship["kinship"] > min_kinship]
    pairs = np.column_stack([rows_of(above["iid1"].astype(str), iids), rows_of(above["iid2"].astype(str), iids)])
    return pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])].astype(np.int64)


def families(iids: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """Return the family ID of each sample: the smallest hash (hex digest) of an IID in its connected component.

    A family ID depends only on the family's members, so removing other samples does not change it. `pairs` are
    positions in `iids`, (pairs, 2). Returns str (samples,).
    """
    samples = len(iids)
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(samples, samples))
    _, component = connected_components(links, directed=False)
    digests = pd.Series([blake2b(iid.encode(), digest_size=8).hexdigest() for iid in iids], dtype=str)
    return digests.groupby(component).transform("min").to_numpy(dtype=str)


def unrelated(iids: Sequence[str], pairs: np.ndarray, seed: int) -> np.ndarray:
    """Return a large, maximal set of unrelated samples: bool (samples,).

    The algorithm is greedy, as in plink2 --king-cutoff. As long as a sample has exactly one relative left, that
    relative is removed. Otherwise the sample with the most remaining relatives is removed. Ties are broken by hash.
    Finally, removed samples without a relative in the set are added back.
    """
    relatives: dict[int, set[int]] = {}
    for one, other in pairs.tolist():
        relatives.setdefault(one, set()).add(other)
        relatives.setdefault(other, set()).add(one)
    all_relatives = {sample: frozenset(near) for sample, near in relatives.items()}
    order = {sample: stable_hash(f"related:{seed}:{iids[sample]}") for sample in relatives}
    queue = [(_priority(len(near)), order[sample], sample) for sample, near in relatives.items()]
    heapify(queue)
    kept = np.ones(len(iids), bool)
    while queue:
        priority, _, sample = heappop(queue)
        if sample not in relatives or not relatives[sample] or _priority(len(relatives[sample])) != priority:
            continue
        removed = sample
        if len(relatives[sample]) == 1:
            (only,) = relatives[sample]
            removed = only if len(relatives[only]) > 1 else sample
        kept[removed] = False
        for other in relatives.pop(removed):
            relatives[other].discard(removed)
            heappush(queue, (_priority(len(relatives[other])), order[other], other))
    for sample in sorted(all_relatives, key=order.__getitem__):
        kept[sample] |= not any(kept[other] for other in all_relatives[sample])
    return kept


def _priority(relatives: int) -> int:
    """Return the priority, smallest first: samples with one relative, then those with the most relatives."""
    return np.iinfo(np.int64).min if relatives == 1 else -relatives
