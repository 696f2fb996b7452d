"""Matching of scores against a loop over all pairs of rows and variants."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contigwas.pgs.matching import OUTCOMES, Targets, match
from contigwas.pgs.rows import Names, Rows

OTHER_STRAND = {"A": "T", "C": "G", "G": "C", "T": "A"}
ALLELES = ["A", "C", "G", "T", "AC", "GT", "D", "A,C"]


def variants(*rows):
    return pd.DataFrame(rows, columns=["chrom", "pos", "id", "effect_allele", "other_allele"])


def score(*rows):
    chrom, pos, rsid, effect, other = zip(*rows, strict=True) if rows else ((),) * 5
    every = np.arange(len(rows), dtype=np.int32)
    chrom, effect, other = (Names.of(every, texts) for texts in (chrom, effect, other))
    return Rows(chrom, np.array(pos, np.int64), pa.array(rsid, pa.string()), effect, other)


def outcomes(found):
    return [OUTCOMES[one] for one in found.outcome]


def strand(allele):
    known = allele and all(base in OTHER_STRAND for base in allele)
    return "".join(OTHER_STRAND[base] for base in reversed(allele)) if known else None


def fit(mine, theirs, first, second):
    return mine == first and (theirs == "" or theirs == second)


def way(row, target):
    effect, other = row.effect_allele, row.other_allele
    a, b = target.effect_allele, target.other_allele
    if fit(effect, other, a, b):
        return "matched"
    if fit(effect, other, b, a):
        return "swapped"
    effect, other = strand(effect), strand(other) if other else ""
    if fit(effect, other, a, b):
        return "flipped"
    return "flipped_swapped" if fit(effect, other, b, a) else None


def best(row, targets):
    ways = [(OUTCOMES.index(way(row, one)), number) for number, one in targets if way(row, one)]
    return min(ways) if ways else None


def slowly(rows, targets, multiallelic_sites, keep_ambiguous):
    """The definition, row by row: (outcome, variant) of each. `multiallelic_sites`: sites of multiallelic records."""
    everything = list(enumerate(targets.itertuples()))
    found = []
    for row in rows:
        hit = best(row, [(k, t) for k, t in everything if t.chrom == row.chrom and t.pos == row.pos])
        named = [(k, t) for k, t in everything if t.id == row.rsid and row.rsid not in ("", ".")]
        if hit is None and len(named) == 1:
            hit = best(row, named)
        found.append(hit)
    result = []
    for row, hit in zip(rows, found, strict=True):
        if hit is None:
            result.append(("multiallelic" if (row.chrom, row.pos) in multiallelic_sites else "unmatched", -1))
            continue
        target = targets.iloc[hit[1]]
        alone = ((targets["chrom"] == target.chrom) & (targets["pos"] == target.pos)).sum() == 1
        if (
            not alone
            or "," in target.effect_allele + target.other_allele
            or (target.chrom, target.pos) in multiallelic_sites
        ):
            result.append(("multiallelic", hit[1]))
        elif not keep_ambiguous and strand(target.effect_allele) == target.other_allele:
            result.append(("ambiguous", hit[1]))
        elif sum(one is not None and one[1] == hit[1] for one in found) > 1:
            result.append(("duplicate", hit[1]))
        elif not target.kept:
            result.append(("filtered", hit[1]))
        else:
            result.append((OUTCOMES[hit[0]], hit[1]))
    return result


place = {"chrom": st.sampled_from(["1", "2"]), "pos": st.integers(1, 4)}
pair = st.lists(st.sampled_from(ALLELES), min_size=2, max_size=2, unique=True)
target_rows = st.lists(
    st.tuples(place["chrom"], place["pos"], st.sampled_from(["rs1", "rs2", "rs3", "rs4", "."]), pair), max_size=8
)
score_rows = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", ""]),
        st.integers(-1, 5),
        st.sampled_from(["rs1", "rs2", "rs3", "rs4", "rs5", "", "."]),
        pair,
        st.booleans(),
    ),
    max_size=10,
)


@settings(max_examples=300, deadline=None)
@given(target_rows, score_rows, st.sets(st.tuples(*place.values()), max_size=3), st.booleans(), st.integers(0, 255))
def test_outcomes_are_those_of_the_definition_and_add_up(
    target_list, score_list, multiallelic_sites, keep_ambiguous, kept
):
    have = variants(*[(c, p, i, a, b) for c, p, i, (a, b) in target_list])
    have["kept"] = [bool(kept >> number & 1) for number in range(len(have))]
    listed = [(c, p, r, a, "" if alone else b) for c, p, r, (a, b), alone in score_list]
    rows = score(*listed)
    here = {one for one in multiallelic_sites if one[0] in set(have["chrom"])}
    found = match(rows, Targets(have, pd.DataFrame(sorted(here), columns=["chrom", "pos"])), keep_ambiguous)
    counts = found.counts()
    assert sum(counts.values()) == len(rows)
    assert list(counts) == list(OUTCOMES)
    named = list(pd.DataFrame(listed, columns=["chrom", "pos", "rsid", "effect_allele", "other_allele"]).itertuples())
    expected = slowly(named, have, here, keep_ambiguous)
    assert list(zip(outcomes(found), found.variant.tolist(), strict=True)) == expected
    assert not (found.used & (found.variant < 0)).any()
    used = pd.Series(found.variant[found.used])
    assert not used.duplicated().any()


def test_order_and_orientation():
    have = variants(*[("1", pos, f"rs{pos}", "A", "G") for pos in range(1, 5)])
    rows = score(("1", 1, "", "A", "G"), ("1", 2, "", "G", "A"), ("1", 3, "", "T", "C"), ("1", 4, "", "C", "T"))
    found = match(rows, Targets(have))
    assert outcomes(found) == ["matched", "swapped", "flipped", "flipped_swapped"]
    assert found.swapped.tolist() == [False, True, False, True]


def test_position_has_priority_over_rsid():
    have = variants(("1", 1, "rs1", "A", "G"), ("1", 2, "rs2", "A", "G"))
    rows = score(("1", 1, "rs2", "A", "G"), ("1", 9, "rs2", "G", "A"))
    found = match(rows, Targets(have))
    assert found.variant.tolist() == [0, 1]
    assert outcomes(found) == ["matched", "swapped"]


@pytest.mark.parametrize(("alleles", "flipped"), [(("AC", "A"), ("GT", "T")), (("CTT", "C"), ("AAG", "G"))])
def test_longer_alleles_flip_as_reverse_complements(alleles, flipped):
    found = match(score(("1", 1, "", *flipped)), Targets(variants(("1", 1, "i", *alleles))))
    assert outcomes(found) == ["flipped"]


def test_ambiguous_may_be_kept_as_given():
    have = Targets(variants(("1", 1, "i", "A", "T"), ("1", 2, "j", "C", "G")))
    rows = score(("1", 1, "", "A", "T"), ("1", 2, "", "G", "C"))
    assert outcomes(match(rows, have)) == ["ambiguous", "ambiguous"]
    assert outcomes(match(rows, have, keep_ambiguous=True)) == ["matched", "swapped"]


def test_all_duplicates_are_dropped():
    have = Targets(variants(("1", 1, "rs1", "A", "G"), ("1", 2, "rs2", "A", "G")))
    rows = score(("1", 1, "", "A", "G"), ("1", 1, "", "G", "A"), ("", -1, "rs1", "A", "G"), ("1", 2, "", "A", "G"))
    assert outcomes(match(rows, have)) == ["duplicate", "duplicate", "duplicate", "matched"]


def test_rows_of_variants_that_failed_qc_are_filtered():
    have = variants(("1", 1, "rs1", "A", "G"), ("1", 2, "rs2", "A", "G")).assign(kept=[False, True])
    found = match(score(("1", 1, "", "A", "G"), ("1", 2, "", "G", "A")), Targets(have))
    assert outcomes(found) == ["filtered", "swapped"]
    assert outcomes(found.filter_variants(np.array([False, True]))) == ["filtered", "filtered"]
    assert not found.filter_variants(np.array([True, True])).used.any()
