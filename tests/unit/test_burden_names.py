"""Names of variants, by ID or by place and alleles, against a search through all variants."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from contigwas.burden.names import DUPLICATE, UNKNOWN, VariantNames

ALLELES = st.sampled_from(["A", "C", "AC", "ACC", "CA"])
VARIANTS = st.lists(
    st.tuples(st.sampled_from([".", "rs1", "rs2", "1:5:A:C"]), st.integers(1, 8), ALLELES, ALLELES).filter(
        lambda one: one[2] != one[3]
    ),
    min_size=1,
    max_size=12,
)


def table(rows):
    return pd.DataFrame(rows, columns=["id", "pos", "other_allele", "effect_allele"])


def short(pos, ref, alt):
    """VEP's form of an indel."""
    if max(len(ref), len(alt)) > 1 and ref[0] == alt[0]:
        return pos + 1, ref[1:] or "-", alt[1:] or "-"
    return pos, ref, alt


def one_of(rows):
    return rows[0] if len(rows) == 1 else DUPLICATE if rows else UNKNOWN


@settings(max_examples=200, deadline=None)
@given(VARIANTS, st.lists(st.tuples(st.integers(1, 9), ALLELES, ALLELES), max_size=8), st.booleans())
def test_places_and_ids(rows, wanted, vep):
    asked = [short(*one) if vep else one for one in wanted]
    text = [f"chr1:{pos}:{ref}:{alt}" if not vep else f"1_{pos}_{ref}/{alt}" for pos, ref, alt in asked]
    found = VariantNames(table(rows), "1").rows(pd.Series([*text, "rs1", "rs2", "rs9"], dtype=object))
    for (pos, ref, alt), got in zip(asked, found[:-3], strict=True):
        fits = [
            n for n, (_, at, other, effect) in enumerate(rows)
            if (pos, ref, alt) in {(at, other, effect), short(at, other, effect)}
        ]  # fmt: skip
        assert got == one_of(fits)
    for name, got in zip(["rs1", "rs2", "rs9"], found[-3:], strict=True):
        assert got == one_of([n for n, one in enumerate(rows) if one[0] == name])


def test_an_id_that_looks_like_a_place_comes_first():
    variants = table([("1:5:A:C", 9, "A", "C"), ("rs1", 5, "A", "C")])
    assert VariantNames(variants, "1").rows(pd.Series(["1:5:A:C", "1:9:A:C", "2:9:A:C", "x"])).tolist() == [
        0,
        0,
        -1,
        -1,
    ]


def test_a_place_comes_before_an_id_and_must_have_its_alleles():
    variants = table([("rs1", 5, "A", "C"), ("rs2", 7, "A", "T"), ("rs3", 9, "A", "C"), ("rs3", 9, "A", "G")])
    names = pd.Series(["rs2", "rs2", "rs2", "rs2", "rs3", "rs3", "rs2", "rs2"])
    places = pd.Series(["1:5:A:C", "8:88:A:T", "8:88:A:G", ":::T", "1:9:A:G", ":::G", ":::G", ""])
    found = VariantNames(variants, "1").rows(names, places)
    assert found.tolist() == [0, 1, UNKNOWN, 1, 3, DUPLICATE, UNKNOWN, 1]


def test_no_name_at_all():
    variants = table([("rs1", 5, "A", "C")])
    nothing = pd.Series([], dtype=object)
    assert VariantNames(variants, "1").rows(nothing).tolist() == []
    assert VariantNames(variants, "1").rows(nothing, nothing).dtype == np.int64
