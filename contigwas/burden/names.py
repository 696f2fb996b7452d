"""Find the variants of the genotypes by the names in annotations and set lists."""

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome

UNKNOWN, DUPLICATE = -1, -2
PLACE = r"^([^:_]+)[:_](\d+)[:_]([A-Za-z*-]+)[:_/]([A-Za-z*-]+)$"  # chrom:pos:ref:alt, and chrom_pos_ref/alt of VEP


class VariantNames:
    """The names of the variants of one chromosome: IDs, and positions with alleles.

    A place is `chrom:pos:ref:alt`, where ref is the other allele of the genotypes and alt the effect allele, as in
    REGENIE. VEP's shorter form is also recognised: without the first shared base, and `-` for an empty allele.
    """

    def __init__(self, variants: pd.DataFrame, chrom: str) -> None:
        """Index `variants` of a genotype reader (id pos effect_allele other_allele), all on chromosome `chrom`."""
        self.chrom = chrom
        self.count = len(variants)
        self._variants = variants
        self._ids, self._rows = _unique(pd.Index(variants["id"]), np.arange(len(variants)))

    def rows(self, names: pd.Series, places: pd.Series | None = None) -> np.ndarray:
        """Return the row of the variant with each name: int64 (names,), UNKNOWN or DUPLICATE unless it is exactly one.

        Without `places`, a name is looked up as an ID, then as a place. With `places`, the place is looked up first. If
        it is not in the genotypes, the ID is used, provided that the alleles of the place are those of the variant,
        because all variants of a multiallelic site can share one ID.
        """
        if places is None:
            found = self._by_id(names)
            return self._fill(found, names, found < 0)
        found = self._fill(np.full(len(names), UNKNOWN), places, np.ones(len(names), bool))
        rest = np.flatnonzero(found < 0)
        by_id = self._by_id(names.iloc[rest])
        agree = (by_id < 0) | self._same_alleles(by_id, places.iloc[rest])
        found[rest[agree]] = np.where(by_id[agree] == UNKNOWN, found[rest[agree]], by_id[agree])
        return found

    def places_in(self, names: pd.Index, rows: np.ndarray) -> np.ndarray:
        """Return the positions in `names` (distinct) of the variants at `rows`: int64 (rows,), UNKNOWN if missing.

        Variants are looked up by ID, unless it is duplicated, then by `chrom:pos:ref:alt` with or without `chr`.
        """
        chosen = self._variants.iloc[rows]
        place = ":" + chosen["pos"].astype(str) + ":" + chosen["other_allele"] + ":" + chosen["effect_allele"]
        found = names.get_indexer(pd.Index(chosen["id"]))
        found[self._by_id(chosen["id"]) == DUPLICATE] = UNKNOWN
        for prefix in ("", "chr"):
            rest = np.flatnonzero(found == UNKNOWN)
            found[rest] = names.get_indexer(pd.Index(prefix + self.chrom + place.iloc[rest]))
        return found

    def _by_id(self, names: pd.Series) -> np.ndarray:
        """Look up names as IDs."""
        return _look_up(self._ids, self._rows, pd.Index(names))

    def _fill(self, found: np.ndarray, places: pd.Series, wanted: np.ndarray) -> np.ndarray:
        """Fill `found`, in place, with the rows of those `places` in `wanted` (bool) that are in the genotypes."""
        rest = np.flatnonzero(wanted)
        parts = places.iloc[rest].astype(object).str.extract(PLACE)
        chroms = {name: chromosome(name) for name in parts[0].dropna().unique()}
        on_chromosome = (parts[0].map(chroms) == self.chrom).to_numpy()
        if not on_chromosome.any():
            return found
        rest, parts = rest[on_chromosome], parts[on_chromosome]
        pos = parts[1].astype(np.int64)
        keys, rows = self._places(pos)
        text = parts[1].str.lstrip("0") + ":" + parts[2].str.upper() + ":" + parts[3].str.upper()
        by_place = _look_up(keys, rows, pd.Index(text))
        present = by_place != UNKNOWN
        found[rest[present]] = by_place[present]
        return found

    def _places(self, pos: pd.Series) -> tuple[pd.Index, np.ndarray]:
        """Return `pos:ref:alt` of the variants at some positions, in both forms, and their rows."""
        candidate_positions = np.union1d(pos.unique(), pos.unique() - 1)
        rows = np.flatnonzero(self._variants["pos"].isin(candidate_positions).to_numpy())
        chosen = self._variants.iloc[rows]
        place, ref, alt = chosen["pos"].astype(np.int64), chosen["other_allele"], chosen["effect_allele"]
        full_names = place.astype(str) + ":" + ref + ":" + alt
        shares_first_base = ((ref.str.len() > 1) | (alt.str.len() > 1)) & (ref.str[:1] == alt.str[:1])
        trimmed_ref, trimmed_alt = (allele[shares_first_base].str[1:].replace("", "-") for allele in (ref, alt))
        trimmed = (place[shares_first_base] + 1).astype(str) + ":" + trimmed_ref + ":" + trimmed_alt
        return _unique(pd.Index([*full_names, *trimmed], dtype=object), np.r_[rows, rows[shares_first_base.to_numpy()]])

    def _same_alleles(self, rows: np.ndarray, places: pd.Series) -> np.ndarray:
        """Return whether the alleles of each place are those of the variant; empty alleles match all: bool."""
        parts = places.astype(object).str.upper().str.split(":", expand=True).reindex(columns=range(4))
        variants = self._variants.iloc[np.maximum(rows, 0)]
        agree = np.ones(len(rows), bool)
        for part, allele in ((2, "other_allele"), (3, "effect_allele")):
            place_alleles = parts[part].fillna("").to_numpy(dtype=object)
            full_alleles = variants[allele].to_numpy(dtype=object)
            trimmed_alleles = variants[allele].str[1:].replace("", "-").to_numpy(dtype=object)
            agree &= (place_alleles == "") | (place_alleles == full_alleles) | (place_alleles == trimmed_alleles)
        return agree


def _unique(keys: pd.Index, rows: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Return distinct keys and their rows, DUPLICATE for keys of several rows."""
    first = ~keys.duplicated()
    is_duplicate = keys[first].isin(keys[~first])
    return keys[first], np.where(is_duplicate, DUPLICATE, rows[first])


def _look_up(keys: pd.Index, rows: np.ndarray, wanted: pd.Index) -> np.ndarray:
    """Return the row of each wanted key: int64, UNKNOWN if it is not in `keys`."""
    places = keys.get_indexer(wanted)
    return np.where(places < 0, UNKNOWN, rows[places]) if len(keys) else np.full(len(wanted), UNKNOWN)
