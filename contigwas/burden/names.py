"""Which variant of the genotypes a name in an annotation or a set means."""

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome

UNKNOWN, REPEATED = -1, -2
PLACE = r"^([^:_]+)[:_](\d+)[:_]([A-Za-z*-]+)[:_/]([A-Za-z*-]+)$"  # chrom:pos:ref:alt, and VEP's chrom_pos_ref/alt


class Names:
    """The names of the variants of one chromosome: their IDs, and their places with alleles.

    A place is `chrom:pos:ref:alt`; ref is the other allele of the genotypes and alt the effect allele, as in REGENIE.
    VEP's shorter form is known too: without the first base that both share, `-` where nothing is left.
    """

    def __init__(self, variants: pd.DataFrame, chrom: str) -> None:
        """`variants` are those of the reader (id pos effect_allele other_allele), all of the chromosome `chrom`."""
        self.chrom = chrom
        self.count = len(variants)
        self._variants = variants
        self._ids, self._rows = _unique(pd.Index(variants["id"]), np.arange(len(variants)))

    def rows(self, names: pd.Series, places: pd.Series | None = None) -> np.ndarray:
        """Where each name stands in the variants: int64 (names,), UNKNOWN or REPEATED where that is not one variant.

        Without `places` a name counts as an ID, and where no ID is like it, as a place. With them, the place decides;
        where the genotypes have nothing there, the ID does, as long as the alleles that the place names are those of
        the variant (a multiallelic site gives all its variants one ID).
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
        """Where the variants at `rows` stand in `names` (each once): int64 (rows,), UNKNOWN where they do not.

        By ID, unless another variant has it too, else by `chrom:pos:ref:alt`, with or without `chr`.
        """
        chosen = self._variants.iloc[rows]
        place = ":" + chosen["pos"].astype(str) + ":" + chosen["other_allele"] + ":" + chosen["effect_allele"]
        found = names.get_indexer(pd.Index(chosen["id"]))
        found[self._by_id(chosen["id"]) == REPEATED] = UNKNOWN
        for prefix in ("", "chr"):
            rest = np.flatnonzero(found == UNKNOWN)
            found[rest] = names.get_indexer(pd.Index(prefix + self.chrom + place.iloc[rest]))
        return found

    def _by_id(self, names: pd.Series) -> np.ndarray:
        return _look_up(self._ids, self._rows, pd.Index(names))

    def _fill(self, found: np.ndarray, places: pd.Series, wanted: np.ndarray) -> np.ndarray:
        """`found` with those of `wanted` whose place the genotypes have."""
        rest = np.flatnonzero(wanted)
        parts = places.iloc[rest].astype(object).str.extract(PLACE)
        chroms = {name: chromosome(name) for name in parts[0].dropna().unique()}
        here = (parts[0].map(chroms) == self.chrom).to_numpy()
        if not here.any():
            return found
        rest, parts = rest[here], parts[here]
        pos = parts[1].astype(np.int64)
        keys, rows = self._places(pos)
        text = parts[1].str.lstrip("0") + ":" + parts[2].str.upper() + ":" + parts[3].str.upper()
        by_place = _look_up(keys, rows, pd.Index(text))
        known = by_place != UNKNOWN
        found[rest[known]] = by_place[known]
        return found

    def _places(self, pos: pd.Series) -> tuple[pd.Index, np.ndarray]:
        """`pos:ref:alt` of the variants at some positions, in both forms, and their rows."""
        near = np.union1d(pos.unique(), pos.unique() - 1)
        rows = np.flatnonzero(self._variants["pos"].isin(near).to_numpy())
        chosen = self._variants.iloc[rows]
        place, ref, alt = chosen["pos"].astype(np.int64), chosen["other_allele"], chosen["effect_allele"]
        full = place.astype(str) + ":" + ref + ":" + alt
        short = ((ref.str.len() > 1) | (alt.str.len() > 1)) & (ref.str[:1] == alt.str[:1])
        cut_ref, cut_alt = (one[short].str[1:].replace("", "-") for one in (ref, alt))
        cut = (place[short] + 1).astype(str) + ":" + cut_ref + ":" + cut_alt
        return _unique(pd.Index([*full, *cut], dtype=object), np.r_[rows, rows[short.to_numpy()]])

    def _same_alleles(self, rows: np.ndarray, places: pd.Series) -> np.ndarray:
        """Whether the alleles that a place names are those of the variant; empty ones agree with all."""
        parts = places.astype(object).str.upper().str.split(":", expand=True).reindex(columns=range(4))
        variants = self._variants.iloc[np.maximum(rows, 0)]
        agree = np.ones(len(rows), bool)
        for part, allele in ((2, "other_allele"), (3, "effect_allele")):
            said = parts[part].fillna("").to_numpy(dtype=object)
            whole = variants[allele].to_numpy(dtype=object)
            cut = variants[allele].str[1:].replace("", "-").to_numpy(dtype=object)
            agree &= (said == "") | (said == whole) | (said == cut)
        return agree


def _unique(keys: pd.Index, rows: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Each key once, with its row, or REPEATED where several rows share it."""
    first = ~keys.duplicated()
    several = keys[first].isin(keys[~first])
    return keys[first], np.where(several, REPEATED, rows[first])


def _look_up(keys: pd.Index, rows: np.ndarray, wanted: pd.Index) -> np.ndarray:
    places = keys.get_indexer(wanted)
    return np.where(places < 0, UNKNOWN, rows[places]) if len(keys) else np.full(len(wanted), UNKNOWN)
