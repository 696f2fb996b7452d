"""Match the rows of a score with the variants of the genotypes, by place and named alleles, then by rsID."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from contigwas.pgs.rows import Names, Rows

OUTCOMES = (
    "matched", "swapped", "flipped", "flipped_swapped",
    "ambiguous", "multiallelic", "duplicate", "filtered", "unmatched",
)  # fmt: skip
USED = 4  # the first outcomes, in the order in which they are tried: the rows that enter the score
AMBIGUOUS, MULTIALLELIC, DUPLICATE, FILTERED, UNMATCHED = range(USED, len(OUTCOMES))
COMPLEMENT = str.maketrans("ACGT", "TGCA")
BASES = frozenset("ACGT")


class Targets:
    """The variants that scores are matched with: rows of a DataFrame `chrom pos id effect_allele other_allele`.

    A bool column `kept`, where there is one, says which of them quality control kept.

    Attributes:
        kept: bool.
        place: int64, a number for each variant's chromosome and position, as `keys` gives it.
        effect, other: int32, each variant's alleles as positions in `alleles`.
        ambiguous: bool, the two strands look alike (A/T, C/G, and longer alleles that are each other's complement).
        multiallelic: bool, other variants stand at the same place, or an allele names several.
    """

    def __init__(self, variants: pd.DataFrame, several: pd.DataFrame | None = None) -> None:
        """`variants` in any order; alleles are upper case. `several`: `chrom pos` of records with more alleles.

        Those are multiallelic places where no variant can be scored, such as a .pgen has them.
        """
        self._ids = variants["id"].to_numpy(dtype=object)
        self.kept = variants["kept"].to_numpy(bool) if "kept" in variants else np.ones(len(variants), bool)
        both = pd.concat([variants["effect_allele"], variants["other_allele"]], ignore_index=True)
        codes, alleles = pd.factorize(both)
        self.alleles = pd.Index(alleles, dtype=object)
        self.effect, self.other = np.split(codes.astype(np.int32), 2)
        strand = self.alleles.get_indexer(complement(self.alleles))
        self.ambiguous = strand[self.effect] == self.other
        self._chromosomes = pd.Index(variants["chrom"].unique(), dtype=object)
        keys = self.keys(Names.of(*_codes(variants["chrom"])), variants["pos"].to_numpy(np.int64))
        self.place = keys
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        first, last = self._between(keys)
        comma = np.array(["," in allele for allele in self.alleles], dtype=bool)
        self.multiallelic = ((keys >= 0) & (last - first > 1)) | comma[self.effect] | comma[self.other]
        self._several = np.empty(0, np.int64)
        if several is not None and len(several):
            self._several = np.unique(self.keys(Names.of(*_codes(several["chrom"])), several["pos"].to_numpy(np.int64)))
            self.multiallelic |= np.isin(keys, self._several)

    def __len__(self) -> int:
        return len(self._ids)

    def keys(self, chrom: Names, pos: np.ndarray) -> np.ndarray:
        """One int64 a place; -1 for a chromosome that has no variant here, and for an unknown position."""
        code = self._chromosomes.get_indexer(pd.Index(chrom.values, dtype=object))[chrom.codes]
        return np.where((code < 0) | (pos < 1) | (pos >= 2**32), -1, (code.astype(np.int64) << 32) + pos)

    def _between(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = np.searchsorted(self._sorted, keys, "left")
        inside = np.minimum(first, max(len(self) - 1, 0))
        found = (first < len(self)) & (self._sorted[inside] == keys) if len(self) else np.zeros(keys.size, bool)
        last = first.copy()
        last[found] = np.searchsorted(self._sorted, keys[found], "right")
        return first, last

    def at(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every pair (row, variant) with the row's key: two int64 arrays, by row."""
        first, last = self._between(np.where(keys < 0, np.iinfo(np.int64).max, keys))
        count = last - first
        row = np.repeat(np.arange(keys.size), count)
        within = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
        return row, self._order[first[row] + within]

    def several_at(self, keys: np.ndarray) -> np.ndarray:
        """Whether a record of more than two alleles stands at a place: bool."""
        return np.isin(keys, self._several)

    @cached_property
    def _named(self) -> tuple[pd.Index, np.ndarray]:
        """Ids that name one variant, and which; an id of several variants names none."""
        ids = pd.Series(self._ids)
        unique = np.flatnonzero((~ids.duplicated(keep=False) & ~ids.isin(["", "."])).to_numpy())
        return pd.Index(self._ids[unique], dtype=object), unique

    def named(self, ids: Sequence[str]) -> np.ndarray:
        """The variant of each id, -1 where there is none: int64."""
        index, unique = self._named
        found = index.get_indexer(pd.Index(ids, dtype=object))
        return np.where(found < 0, -1, unique[found]) if unique.size else np.full(len(ids), -1)


@dataclass(frozen=True)
class Match:
    """What became of each row of a score.

    outcome: int8, position in OUTCOMES; variant: int64, position in the targets, -1 where unmatched;
    swapped: bool, the score's effect allele is the variant's other allele.
    """

    outcome: np.ndarray
    variant: np.ndarray
    swapped: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """The rows that enter the score: bool."""
        return self.outcome < USED

    def without(self, variants: np.ndarray) -> "Match":
        """The rows of some variants (bool, of the targets) filtered out."""
        lost = self.used & np.where(self.variant < 0, False, variants[self.variant])
        return replace(self, outcome=np.where(lost, FILTERED, self.outcome).astype(np.int8))

    def counts(self) -> dict[str, int]:
        """Rows of each outcome; they add up to the rows of the score."""
        return dict(zip(OUTCOMES, np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))


def complement(alleles: Sequence[str]) -> pd.Index:
    """The alleles on the other strand: reverse complements; empty for what is not written in A, C, G, T."""
    turned = [one.translate(COMPLEMENT)[::-1] if BASES.issuperset(one) else "" for one in alleles]
    return pd.Index(turned, dtype=object)


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, values = pd.factorize(column)
    return codes.astype(np.int32), list(values)


def match(rows: Rows, targets: Targets, keep_ambiguous: bool = False) -> Match:
    """Match `rows` with `targets`; every row gets one outcome.

    By place and alleles, in the order as given, swapped, flipped to the other strand, flipped and swapped; where no
    variant at the place fits, by rsID and the same order. A row without other allele fits by its effect allele. Of
    the rows that fit, those of multiallelic places are dropped, then the strand-ambiguous unless `keep_ambiguous`, then
    all rows that map to one variant, then those of variants that quality control dropped. A row that fits nothing at a
    place where a record has several alleles is multiallelic.
    """
    outcome = np.full(len(rows), UNMATCHED, dtype=np.int8)
    variant = np.full(len(rows), -1, dtype=np.int64)
    keys = targets.keys(rows.chrom, rows.pos)
    if len(rows) and len(targets):
        alleles = _Alleles(rows, targets)
        _take(outcome, variant, alleles, *targets.at(keys))
        left = np.flatnonzero(outcome == UNMATCHED)
        ids = rows.rsid.take(pa.array(left)).to_pylist() if left.size else []
        found = targets.named([(one or "").strip() for one in ids])
        _take(outcome, variant, alleles, left[found >= 0], found[found >= 0])

    swapped = (outcome == 1) | (outcome == 3)
    hit = outcome < USED
    outcome[hit] = np.where(targets.multiallelic[variant[hit]], MULTIALLELIC, outcome[hit])
    outcome[(outcome == UNMATCHED) & targets.several_at(keys)] = MULTIALLELIC
    if not keep_ambiguous:
        hit = outcome < USED
        outcome[hit] = np.where(targets.ambiguous[variant[hit]], AMBIGUOUS, outcome[hit])
    used = np.flatnonzero(outcome < USED)
    times = np.bincount(variant[used], minlength=len(targets))
    outcome[used[times[variant[used]] > 1]] = DUPLICATE
    hit = outcome < USED
    outcome[hit] = np.where(targets.kept[variant[hit]], outcome[hit], FILTERED)
    return Match(outcome, variant, swapped)


class _Alleles:
    """The rows' alleles as positions in the targets' alleles, on both strands; -1 where no target has the allele."""

    def __init__(self, rows: Rows, targets: Targets) -> None:
        self.targets = targets
        self.effect, self.effect_flipped = self._codes(rows.effect)
        self.other, self.other_flipped = self._codes(rows.other)
        self.alone = rows.other.is_empty()

    def _codes(self, names: Names) -> tuple[np.ndarray, np.ndarray]:
        values = pd.Index(names.values, dtype=object)
        forward = self.targets.alleles.get_indexer(values)
        backward = self.targets.alleles.get_indexer(complement(values))
        return forward[names.codes], backward[names.codes]

    def orientation(self, row: np.ndarray, variant: np.ndarray) -> np.ndarray:
        """The first way in which each row fits each variant (0 to 3), UNMATCHED where none does."""
        effect, other, alone = self.targets.effect[variant], self.targets.other[variant], self.alone[row]
        forward = self.effect[row], self.other[row]
        backward = self.effect_flipped[row], self.other_flipped[row]
        ways = [
            (mine == first) & (alone | (theirs == second))
            for mine, theirs in (forward, backward)
            for first, second in ((effect, other), (other, effect))
        ]
        return np.select(ways, list(range(USED)), UNMATCHED).astype(np.int8)


def _take(outcome: np.ndarray, variant: np.ndarray, alleles: _Alleles, row: np.ndarray, target: np.ndarray) -> None:
    """Give each row the best of its candidate variants, in place; the first of equals."""
    ways = alleles.orientation(row, target)
    fits = ways < USED
    row, target, ways = row[fits], target[fits], ways[fits]
    if row.size and (row[1:] == row[:-1]).any():
        order = np.lexsort((ways, row))
        row, first = np.unique(row[order], return_index=True)
        target, ways = target[order][first], ways[order][first]
    outcome[row] = ways
    variant[row] = target
