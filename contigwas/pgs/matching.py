"""Match the rows of a score with the variants of the genotypes, by place and named alleles, then by rsID."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

OUTCOMES = (
    "matched", "swapped", "flipped", "flipped_swapped", "ambiguous", "multiallelic", "duplicate", "unmatched",
)  # fmt: skip
USED = 4  # the first outcomes, in the order in which they are tried: the rows that enter the score
AMBIGUOUS, MULTIALLELIC, DUPLICATE, UNMATCHED = range(USED, len(OUTCOMES))
COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Targets:
    """The variants that scores are matched with: rows of a DataFrame `chrom pos id effect_allele other_allele`.

    Attributes:
        effect, other: int32, each variant's alleles as positions in `alleles`.
        ambiguous: bool, the two strands look alike (A/T, C/G, and longer alleles that are each other's complement).
        multiallelic: bool, other variants stand at the same place, or an allele names several.
    """

    def __init__(self, variants: pd.DataFrame) -> None:
        """`variants` in any order; alleles are upper case."""
        self._ids = variants["id"].to_numpy(dtype=object)
        both = pd.concat([variants["effect_allele"], variants["other_allele"]], ignore_index=True)
        codes, alleles = pd.factorize(both)
        self.alleles = pd.Index(alleles, dtype=object)
        self.effect, self.other = np.split(codes.astype(np.int32), 2)
        strand = self.alleles.get_indexer(complement(self.alleles))
        self.ambiguous = strand[self.effect] == self.other
        self._chromosomes = pd.Index(variants["chrom"].unique(), dtype=object)
        keys = self.keys(variants["chrom"], variants["pos"])
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        first, last = self._places(keys)
        several = np.array(["," in allele for allele in self.alleles], dtype=bool)
        self.multiallelic = ((keys >= 0) & (last - first > 1)) | several[self.effect] | several[self.other]

    def __len__(self) -> int:
        return len(self._ids)

    def keys(self, chrom: pd.Series, pos: pd.Series) -> np.ndarray:
        """One int64 a place; -1 for a chromosome that has no variant here, and for an unknown position."""
        code = self._chromosomes.get_indexer(pd.Index(chrom, dtype=object))
        pos = pos.to_numpy(dtype=np.int64)
        return np.where((code < 0) | (pos < 1) | (pos >= 2**32), -1, (code.astype(np.int64) << 32) + pos)

    def _places(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.searchsorted(self._sorted, keys, "left"), np.searchsorted(self._sorted, keys, "right")

    def at(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every pair (row, variant) with the row's key: two int64 arrays, by row."""
        first, last = self._places(np.where(keys < 0, np.iinfo(np.int64).max, keys))
        count = last - first
        row = np.repeat(np.arange(keys.size), count)
        within = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
        return row, self._order[first[row] + within]

    @cached_property
    def _named(self) -> tuple[pd.Index, np.ndarray]:
        """Ids that name one variant, and which; an id of several variants names none."""
        ids = pd.Series(self._ids)
        unique = np.flatnonzero((~ids.duplicated(keep=False) & ~ids.isin(["", "."])).to_numpy())
        return pd.Index(self._ids[unique], dtype=object), unique

    def named(self, ids: np.ndarray) -> np.ndarray:
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

    def counts(self) -> dict[str, int]:
        """Rows of each outcome; they add up to the rows of the score."""
        return dict(zip(OUTCOMES, np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))


def complement(alleles: pd.Index) -> pd.Index:
    """The alleles on the other strand: reverse complements; empty for what is not written in A, C, G, T."""
    text = pd.Series(alleles, dtype=object).astype(str)
    turned = text.str.translate(COMPLEMENT).str[::-1]
    return pd.Index(turned.where(text.str.fullmatch("[ACGT]+"), ""), dtype=object)


def match(rows: pd.DataFrame, targets: Targets, keep_ambiguous: bool = False) -> Match:
    """Match `rows` (chrom pos rsid effect_allele other_allele) with `targets`; every row gets one outcome.

    By place and alleles, in the order as given, swapped, flipped to the other strand, flipped and swapped; where no
    variant at the place fits, by rsID and the same order. A row without other allele fits by its effect allele. Of
    the rows that fit, those of multiallelic places are dropped, then the strand-ambiguous unless `keep_ambiguous`,
    then all rows that map to one variant.
    """
    outcome = np.full(len(rows), UNMATCHED, dtype=np.int8)
    variant = np.full(len(rows), -1, dtype=np.int64)
    if not len(rows) or not len(targets):
        return Match(outcome, variant, np.zeros(len(rows), dtype=bool))
    alleles = _Alleles(rows, targets)
    _take(outcome, variant, alleles, *targets.at(targets.keys(rows["chrom"], rows["pos"])))
    left = np.flatnonzero((outcome == UNMATCHED) & (rows["rsid"] != "").to_numpy())
    found = targets.named(rows["rsid"].to_numpy()[left])
    _take(outcome, variant, alleles, left[found >= 0], found[found >= 0])

    swapped = (outcome == 1) | (outcome == 3)
    hit = outcome < USED
    outcome[hit & targets.multiallelic[variant]] = MULTIALLELIC
    if not keep_ambiguous:
        outcome[(outcome < USED) & targets.ambiguous[variant]] = AMBIGUOUS
    used = np.flatnonzero(outcome < USED)
    outcome[used[pd.Series(variant[used]).duplicated(keep=False).to_numpy()]] = DUPLICATE
    return Match(outcome, variant, swapped)


class _Alleles:
    """The rows' alleles as positions in the targets' alleles, on both strands; -1 where no target has the allele."""

    def __init__(self, rows: pd.DataFrame, targets: Targets) -> None:
        self.targets = targets
        self.effect, self.effect_flipped = self._codes(rows["effect_allele"])
        self.other, self.other_flipped = self._codes(rows["other_allele"])
        self.alone = (rows["other_allele"] == "").to_numpy()

    def _codes(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        codes, unique = pd.factorize(column)
        unique = pd.Index(unique, dtype=object)
        forward = self.targets.alleles.get_indexer(unique)
        backward = self.targets.alleles.get_indexer(complement(unique))
        return forward[codes], backward[codes]

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
    order = np.lexsort((ways, row))
    row, first = np.unique(row[order], return_index=True)
    outcome[row] = ways[order][first]
    variant[row] = target[order][first]
