"""Match the rows of a score with the variants of the genotypes, by position and alleles, then by rsID."""

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
USED = 4  # rows with one of the first four outcomes enter the score; these are tried in this order
AMBIGUOUS, MULTIALLELIC, DUPLICATE, FILTERED, UNMATCHED = range(USED, len(OUTCOMES))
COMPLEMENT = str.maketrans("ACGT", "TGCA")
BASES = frozenset("ACGT")


class Targets:
    """The variants that scores are matched with: rows of a DataFrame `chrom pos id effect_allele other_allele`.

    An optional bool column `kept` marks the variants that passed quality control.

    Attributes:
        kept: bool, the variant passed quality control.
        position_keys: int64, a key for each variant's chromosome and position, from `keys`.
        effect, other: int32, each variant's alleles as positions in `alleles`.
        ambiguous: bool, strand-ambiguous (A/T, C/G, and longer alleles that are each other's reverse complement).
        multiallelic: bool, another variant has the same position, or an allele field lists several alleles.
    """

    def __init__(self, variants: pd.DataFrame, multiallelic_sites: pd.DataFrame | None = None) -> None:
        """Index `variants`, in any order, with upper-case alleles.

        `multiallelic_sites` has the columns `chrom pos`: sites of multiallelic records, as in a .pgen, which cannot be
        scored.
        """
        self._ids = variants["id"].to_numpy(dtype=object)
        self.kept = variants["kept"].to_numpy(bool) if "kept" in variants else np.ones(len(variants), bool)
        all_alleles = pd.concat([variants["effect_allele"], variants["other_allele"]], ignore_index=True)
        codes, alleles = pd.factorize(all_alleles)
        self.alleles = pd.Index(alleles, dtype=object)
        self.effect, self.other = np.split(codes.astype(np.int32), 2)
        strand = self.alleles.get_indexer(complement(self.alleles))
        self.ambiguous = strand[self.effect] == self.other
        self._chromosomes = pd.Index(variants["chrom"].unique(), dtype=object)
        keys = self.keys(Names.of(*_codes(variants["chrom"])), variants["pos"].to_numpy(np.int64))
        self.position_keys = keys
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        first, last = self._between(keys)
        lists_alleles = np.array(["," in allele for allele in self.alleles], dtype=bool)
        self.multiallelic = ((keys >= 0) & (last - first > 1)) | lists_alleles[self.effect] | lists_alleles[self.other]
        self._multiallelic_keys = np.empty(0, np.int64)
        if multiallelic_sites is not None and len(multiallelic_sites):
            self._multiallelic_keys = np.unique(
                self.keys(Names.of(*_codes(multiallelic_sites["chrom"])), multiallelic_sites["pos"].to_numpy(np.int64))
            )
            self.multiallelic |= np.isin(keys, self._multiallelic_keys)

    def __len__(self) -> int:
        return len(self._ids)

    def keys(self, chrom: Names, pos: np.ndarray) -> np.ndarray:
        """Return one int64 key per position; -1 for a chromosome without variants, and for an unknown position."""
        code = self._chromosomes.get_indexer(pd.Index(chrom.values, dtype=object))[chrom.codes]
        return np.where((code < 0) | (pos < 1) | (pos >= 2**32), -1, (code.astype(np.int64) << 32) + pos)

    def _between(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the range of each key in the sorted keys: first and last + 1, int64."""
        first = np.searchsorted(self._sorted, keys, "left")
        inside = np.minimum(first, max(len(self) - 1, 0))
        found = (first < len(self)) & (self._sorted[inside] == keys) if len(self) else np.zeros(keys.size, bool)
        last = first.copy()
        last[found] = np.searchsorted(self._sorted, keys[found], "right")
        return first, last

    def pairs_at(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs (row, variant) of the same key, sorted by row: two int64 arrays."""
        first, last = self._between(np.where(keys < 0, np.iinfo(np.int64).max, keys))
        count = last - first
        row = np.repeat(np.arange(keys.size), count)
        within = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
        return row, self._order[first[row] + within]

    def has_multiallelic_record(self, keys: np.ndarray) -> np.ndarray:
        """Return whether there is a multiallelic record at a position: bool."""
        return np.isin(keys, self._multiallelic_keys)

    @cached_property
    def _unique_ids(self) -> tuple[pd.Index, np.ndarray]:
        """IDs that belong to exactly one variant, and the positions of these variants."""
        ids = pd.Series(self._ids)
        unique = np.flatnonzero((~ids.duplicated(keep=False) & ~ids.isin(["", "."])).to_numpy())
        return pd.Index(self._ids[unique], dtype=object), unique

    def variants_with_id(self, ids: Sequence[str]) -> np.ndarray:
        """Return the variant with each ID: int64, -1 if there is none or more than one."""
        index, unique = self._unique_ids
        found = index.get_indexer(pd.Index(ids, dtype=object))
        return np.where(found < 0, -1, unique[found]) if unique.size else np.full(len(ids), -1)


@dataclass(frozen=True)
class Match:
    """The outcome of matching for each row of a score.

    Attributes:
        outcome: int8, position in OUTCOMES.
        variant: int64, position in the targets, -1 if unmatched.
        swapped: bool, the score's effect allele is the variant's other allele.
    """

    outcome: np.ndarray
    variant: np.ndarray
    swapped: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """The rows that enter the score: bool."""
        return self.outcome < USED

    def filter_variants(self, variants: np.ndarray) -> "Match":
        """Return the match with the rows of some variants (bool, positions in the targets) set to `filtered`."""
        filtered = self.used & np.where(self.variant < 0, False, variants[self.variant])
        return replace(self, outcome=np.where(filtered, FILTERED, self.outcome).astype(np.int8))

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each outcome. The sum is the number of rows of the score."""
        return dict(zip(OUTCOMES, np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))


def complement(alleles: Sequence[str]) -> pd.Index:
    """Return the reverse complements of alleles; empty for alleles with characters other than A, C, G, T."""
    reversed_ = [allele.translate(COMPLEMENT)[::-1] if BASES.issuperset(allele) else "" for allele in alleles]
    return pd.Index(reversed_, dtype=object)


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return int32 codes and distinct values of a column."""
    codes, values = pd.factorize(column)
    return codes.astype(np.int32), list(values)


def match(rows: Rows, targets: Targets, keep_ambiguous: bool = False) -> Match:
    """Match `rows` with `targets`. Every row gets one outcome.

    Rows are matched by position and alleles: as they are, swapped, flipped to the other strand, then flipped and
    swapped. If no variant at the position fits, they are matched by rsID in the same order. A row without other allele
    is matched by its effect allele. Matched rows are then dropped if the site is multiallelic, if the variant is
    strand-ambiguous (unless `keep_ambiguous`), if several rows match the same variant, or if the variant failed quality
    control, in this order. An unmatched row at the site of a multiallelic record is multiallelic.
    """
    outcome = np.full(len(rows), UNMATCHED, dtype=np.int8)
    variant = np.full(len(rows), -1, dtype=np.int64)
    keys = targets.keys(rows.chrom, rows.pos)
    if len(rows) and len(targets):
        alleles = _Alleles(rows, targets)
        _assign(outcome, variant, alleles, *targets.pairs_at(keys))
        unmatched = np.flatnonzero(outcome == UNMATCHED)
        ids = rows.rsid.take(pa.array(unmatched)).to_pylist() if unmatched.size else []
        found = targets.variants_with_id([(rsid or "").strip() for rsid in ids])
        _assign(outcome, variant, alleles, unmatched[found >= 0], found[found >= 0])

    swapped = (outcome == 1) | (outcome == 3)
    matched = outcome < USED
    outcome[matched] = np.where(targets.multiallelic[variant[matched]], MULTIALLELIC, outcome[matched])
    outcome[(outcome == UNMATCHED) & targets.has_multiallelic_record(keys)] = MULTIALLELIC
    if not keep_ambiguous:
        matched = outcome < USED
        outcome[matched] = np.where(targets.ambiguous[variant[matched]], AMBIGUOUS, outcome[matched])
    used = np.flatnonzero(outcome < USED)
    n_rows = np.bincount(variant[used], minlength=len(targets))
    outcome[used[n_rows[variant[used]] > 1]] = DUPLICATE
    matched = outcome < USED
    outcome[matched] = np.where(targets.kept[variant[matched]], outcome[matched], FILTERED)
    return Match(outcome, variant, swapped)


class _Alleles:
    """The alleles of the rows as positions in the targets' alleles, on both strands; -1 if no target has the allele."""

    def __init__(self, rows: Rows, targets: Targets) -> None:
        self.targets = targets
        self.effect, self.effect_flipped = self._codes(rows.effect)
        self.other, self.other_flipped = self._codes(rows.other)
        self.effect_only = rows.other.is_empty()

    def _codes(self, names: Names) -> tuple[np.ndarray, np.ndarray]:
        values = pd.Index(names.values, dtype=object)
        forward = self.targets.alleles.get_indexer(values)
        backward = self.targets.alleles.get_indexer(complement(values))
        return forward[names.codes], backward[names.codes]

    def orientation(self, row: np.ndarray, variant: np.ndarray) -> np.ndarray:
        """Return the first outcome (0 to 3) with which each row fits its variant, UNMATCHED if none does: int8."""
        effect, other, effect_only = self.targets.effect[variant], self.targets.other[variant], self.effect_only[row]
        forward = self.effect[row], self.other[row]
        backward = self.effect_flipped[row], self.other_flipped[row]
        orientations = [
            (row_effect == first) & (effect_only | (row_other == second))
            for row_effect, row_other in (forward, backward)
            for first, second in ((effect, other), (other, effect))
        ]
        return np.select(orientations, list(range(USED)), UNMATCHED).astype(np.int8)


def _assign(outcome: np.ndarray, variant: np.ndarray, alleles: _Alleles, row: np.ndarray, target: np.ndarray) -> None:
    """Assign the best candidate variant to each row, in place; ties go to the first."""
    orientations = alleles.orientation(row, target)
    fits = orientations < USED
    row, target, orientations = row[fits], target[fits], orientations[fits]
    if row.size and (row[1:] == row[:-1]).any():
        order = np.lexsort((orientations, row))
        row, first = np.unique(row[order], return_index=True)
        target, orientations = target[order][first], orientations[order][first]
    outcome[row] = orientations
    variant[row] = target
