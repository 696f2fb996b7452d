"""Haplotype r2: against a fine grid of the likelihood, hand-made cases, and the windowed reader."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contigwas.genotypes.reader import open_genotypes
from contigwas.loci import ld
from contigwas.loci.ld import Linkage, haplotype_r2, joint_counts
from tests.plink_files import iids, simulate, write_plink


def by_grid(counts: np.ndarray, steps: int = 4001) -> tuple[float, float, float]:
    """r2 where the likelihood is largest on a grid, the largest second-best r2 within 1e-9 of it, and the step."""
    known = {
        "11": 2 * counts[2, 2] + counts[2, 1] + counts[1, 2],
        "12": 2 * counts[2, 0] + counts[2, 1] + counts[1, 0],
        "21": 2 * counts[0, 2] + counts[0, 1] + counts[1, 2],
        "22": 2 * counts[0, 0] + counts[0, 1] + counts[1, 0],
    }
    total = sum(known.values()) + 2 * counts[1, 1]
    h = counts[1, 1] / total
    x = np.linspace(0, h, steps)
    f = {name: known[name] / total + (x if name in ("11", "22") else h - x) for name in known}
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = sum(np.where(known[name] > 0, known[name] * np.log(f[name]), 0) for name in known)
        double = counts[1, 1] * np.log(f["11"] * f["22"] + f["12"] * f["21"])
        likelihood = likelihood + np.where(counts[1, 1] > 0, double, 0)
        ours, other = f["11"] + f["12"], f["11"] + f["21"]
        r2 = (f["11"] - ours * other) ** 2 / (ours * (1 - ours) * other * (1 - other))
    near = r2[likelihood >= likelihood.max() - 1e-6]
    return float(near.min()), float(near.max()), float(np.abs(np.diff(r2)).max(initial=0))


@given(st.lists(st.integers(0, 12), min_size=9, max_size=9))
@settings(max_examples=300, deadline=None)
def test_the_most_likely_phase(numbers):
    counts = np.array(numbers, float).reshape(3, 3)
    (found,) = haplotype_r2(counts[:, :, None])
    margins = [counts.sum(axis=axis) for axis in (0, 1)]
    if any(2 * one.sum() in (2 * one[0], 2 * one[2]) for one in margins):
        assert np.isnan(found)
        return
    low, high, step = by_grid(counts)
    assert low - step - 1e-9 <= found <= high + step + 1e-9


def test_worked_examples():
    perfect = np.diag([4.0, 6.0, 3.0])
    opposite = perfect[::-1]
    unlinked = np.outer([1, 2, 1], [1, 2, 1]) * 5.0
    constant = np.zeros((3, 3))
    constant[0] = 5
    found = haplotype_r2(np.stack([perfect, opposite, unlinked, constant, np.zeros((3, 3))], axis=2))
    np.testing.assert_allclose(found[:3], [1, 1, 0], atol=1e-12)
    assert np.isnan(found[3:]).all()


def test_counts_against_a_loop():
    dosages = simulate(np.random.default_rng(4), 40, 9, missing=0.2)
    counts = joint_counts(dosages[:, 0], dosages[:, 1:])
    for variant in range(8):
        for a in range(3):
            for b in range(3):
                expected = sum(
                    1 for x, y in zip(dosages[:, 0], dosages[:, variant + 1], strict=True) if (x, y) == (a, b)
                )
                assert counts[a, b, variant] == expected


def test_symmetric_and_independent_of_the_counted_allele():
    dosages = simulate(np.random.default_rng(5), 80, 20, missing=0.05, blocks=4)
    flipped = np.where(dosages < 0, dosages, 2 - dosages)
    for first in range(6):
        r2 = haplotype_r2(joint_counts(dosages[:, first], dosages))
        back = [haplotype_r2(joint_counts(dosages[:, other], dosages[:, [first]]))[0] for other in range(20)]
        np.testing.assert_allclose(r2, back, atol=1e-9)
        np.testing.assert_allclose(r2, haplotype_r2(joint_counts(dosages[:, first], flipped)), atol=1e-9)


@pytest.mark.parametrize("cells", [1, 2**24])
def test_linkage_reads_blocks_of_the_founders(tmp_path, monkeypatch, cells):
    monkeypatch.setattr(ld, "BLOCK_GENOTYPES", cells)
    dosages = simulate(np.random.default_rng(6), 50, 60, missing=0.1, blocks=5)
    bed = open_genotypes(write_plink(tmp_path / "a.bed", dosages, iids(50)), 1)
    founders, report = np.arange(0, 50, 2), np.arange(3, 60)
    linkage = Linkage(bed, report, founders)
    others = np.array([0, 5, 8, *range(20, 50)])
    expected = haplotype_r2(joint_counts(dosages[founders, 3 + 7], dosages[np.ix_(founders, report[others])]))
    np.testing.assert_allclose(linkage(7, others), expected, atol=1e-12)
    assert linkage(7, np.array([], int)).shape == (0,)


def by_haplotypes(index, other, male):
    """The counts of a male's one haplotype and of a female's two, by a loop: joint counts and those of males."""
    counts, single = np.zeros((3, 3)), np.zeros((3, 3))
    for a, b, one in zip(index, other, male, strict=True):
        if min(a, b) >= 0 and not (one and 1 in (a, b)):
            counts[a, b] += 1
            single[a, b] += one
    return counts, single


def test_males_are_one_haplotype_of_x(tmp_path):
    rng = np.random.default_rng(7)
    dosages = simulate(rng, 60, 12, missing=0.1, blocks=4)
    male = np.arange(60) % 2 == 0  # sex 1 in the .fam
    bed = open_genotypes(write_plink(tmp_path / "a.bed", dosages, iids(60)), 1)
    x_linked = np.arange(12) >= 4  # the first four are pseudo-autosomal
    found = Linkage(bed, np.arange(12), np.arange(60), x_linked)(6, np.arange(12))
    for other in range(12):
        if other < 4:  # which of a male's two alleles lies on his X is unknown
            expected = haplotype_r2(joint_counts(dosages[~male, 6], dosages[~male][:, [other]]))
        else:
            counts, single = by_haplotypes(dosages[:, 6], dosages[:, other], male)
            expected = haplotype_r2(counts[:, :, None], single[:, :, None])
        np.testing.assert_allclose(found[other], expected[0], atol=1e-12)
    diploid = Linkage(bed, np.arange(12), np.arange(60), x_linked)(1, np.arange(4))
    np.testing.assert_allclose(diploid, haplotype_r2(joint_counts(dosages[:, 1], dosages[:, :4])), atol=1e-12)


def test_males_alone_show_their_haplotypes(tmp_path):
    # Without females nothing is ambiguous: r2 is the squared correlation of the alleles.
    rng = np.random.default_rng(8)
    dosages = 2 * (simulate(rng, 80, 6, blocks=3) > 0).astype(np.int8)
    bed = open_genotypes(write_plink(tmp_path / "a.bed", dosages, iids(80), sex=[1] * 80), 1)
    found = Linkage(bed, np.arange(6), np.arange(80), np.ones(6, bool))(0, np.arange(1, 6))
    np.testing.assert_allclose(found, np.corrcoef(dosages.T.astype(float))[0, 1:] ** 2, atol=1e-9)
