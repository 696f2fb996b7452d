"""Chromosome X against loops over samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.genotypes.sex import code_males, frequencies, x_linked
from contigwas.runtime.errors import UserError


@pytest.mark.parametrize(
    ("build", "positions", "expected"),
    [
        ("GRCh37", [60_001, 2_699_520, 2_699_521, 154_931_043, 154_931_044], [0, 0, 1, 1, 0]),
        ("GRCh38", [10_001, 2_781_479, 2_781_480, 155_701_382, 155_701_383], [0, 0, 1, 1, 0]),
    ],
)
def test_the_pseudo_autosomal_regions(build, positions, expected):
    assert x_linked("X", np.array(positions), build).tolist() == [bool(one) for one in expected]
    assert not x_linked("7", np.array(positions), build).any()


def test_another_build():
    with pytest.raises(UserError, match="pseudo-autosomal regions of NCBI36 are not known"):
        x_linked("X", np.array([1]), "NCBI36")


SEXES = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@given(SEXES, st.lists(st.booleans(), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_hard_calls_by_sample(sexes, linked, seed):
    rng = np.random.default_rng(seed)
    sexes, linked = np.array(sexes), np.array(linked)
    block = np.asfortranarray(rng.choice(np.array([0, 1, 2, -127], np.int8), (sexes.size, linked.size)))
    before = block.copy()
    coded, hets = code_males(block, sexes == 1, sexes == 0, linked)
    np.testing.assert_array_equal(block, before)
    assert coded.dtype == np.int8
    assert coded.flags.f_contiguous
    lost = 0
    eaf, called = frequencies(coded, sexes == 1, linked)
    for variant in range(linked.size):
        alleles, chromosomes, samples = 0, 0, 0
        for sample, sex in enumerate(sexes):
            value = int(before[sample, variant])
            if linked[variant] and sex == 0:
                value = -127
            if linked[variant] and sex == 1 and value == 1:
                value, lost = -127, lost + 1
            assert coded[sample, variant] == value
            if value >= 0:
                copies = 1 if linked[variant] and sex == 1 else 2
                alleles, chromosomes, samples = alleles + value * copies / 2, chromosomes + copies, samples + 1
        assert called[variant] == samples
        assert eaf[variant] == pytest.approx(alleles / chromosomes) if chromosomes else np.isnan(eaf[variant])
    assert hets == lost


@given(SEXES, st.lists(st.booleans(), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_dosages_by_sample(sexes, linked, seed):
    rng = np.random.default_rng(seed)
    sexes, linked = np.array(sexes), np.array(linked)
    block = np.asfortranarray(rng.uniform(0, 2, (sexes.size, linked.size)).astype(np.float32))
    block[rng.random(block.shape) < 0.2] = np.nan
    coded, hets = code_males(block, sexes == 1, sexes == 0, linked)
    expected = block.copy()
    expected[np.ix_(sexes == 0, linked)] = np.nan
    np.testing.assert_array_equal(coded, expected)
    assert hets == 0
    assert coded.dtype == np.float32
    eaf, called = frequencies(coded, sexes == 1, linked)
    for variant in range(linked.size):
        weight = np.where(linked[variant] & (sexes == 1), 1, 2)
        here = ~np.isnan(expected[:, variant])
        assert called[variant] == here.sum()
        if here.any():
            mean = (expected[here, variant].astype(float) / 2 * weight[here]).sum() / weight[here].sum()
            assert eaf[variant] == pytest.approx(mean, rel=1e-6)


def test_nothing_is_copied_where_nothing_changes():
    block = np.ones((4, 3), np.int8, order="F")
    assert code_males(block, np.ones(4, bool), np.zeros(4, bool), np.zeros(3, bool))[0] is block
