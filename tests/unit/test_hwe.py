"""The exact Hardy-Weinberg test against its definition in whole numbers."""

from fractions import Fraction
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.genotypes.hwe import hwe_exact


def definition(het: int, hom1: int, hom2: int, midp: bool = False) -> float:
    """Enumerate every number of heterozygotes with exact fractions."""
    samples, rare = het + hom1 + hom2, het + 2 * min(hom1, hom2)
    chances = {}
    for count in range(rare % 2, rare + 1, 2):
        one, other = (rare - count) // 2, samples - count - (rare - count) // 2
        ways = factorial(samples) // (factorial(count) * factorial(one) * factorial(other)) * 2**count
        chances[count] = Fraction(ways, comb(2 * samples, rare))
    assert sum(chances.values()) == 1
    ties = sum(chance for chance in chances.values() if chance == chances[het])
    return float(sum(chance for chance in chances.values() if chance <= chances[het]) - (ties / 2 if midp else 0))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_definition(het, hom1, hom2):
    expected = definition(het, hom1, hom2) if het + hom1 + hom2 else 1.0
    assert hwe_exact(het, hom1, hom2) == pytest.approx(expected, rel=1e-9)
    expected = definition(het, hom1, hom2, midp=True) if het + hom1 + hom2 else 0.5
    assert hwe_exact(het, hom1, hom2, midp=True) == pytest.approx(expected, rel=1e-9)


def test_many_at_once_keep_their_places():
    counts = np.random.default_rng(3).integers(0, 30, (3, 5, 40))
    p = hwe_exact(*counts)
    assert p.shape == (5, 40)
    np.testing.assert_allclose(p[2, 7], definition(*(int(one) for one in counts[:, 2, 7])), rtol=1e-9)
    np.testing.assert_array_equal(p, hwe_exact(counts[0], counts[2], counts[1]))


def test_reference_implementation():
    # The example that comes with the authors' SNPHWE.
    assert hwe_exact(57, 14, 50) == pytest.approx(0.842279756570793, rel=1e-11)


def test_large_and_extreme():
    samples = 500_000
    p = hwe_exact([samples // 2, 0, samples], [samples // 4, samples // 2, 0], [samples // 4, samples // 2, 0])
    np.testing.assert_allclose(p, [1, 0, 0], atol=1e-12)


def test_negative_counts():
    with pytest.raises(ValueError, match="negative"):
        hwe_exact(-1, 2, 3)
