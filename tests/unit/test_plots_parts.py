"""What the figures are made of: the height scale, thinning, labels, the axis of chromosomes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from contigwas.plots.genome import Genome, thin
from contigwas.plots.labels import place, shorten, spread
from contigwas.plots.style import HeightScale, applied, p_text, save


@given(st.floats(0, 5000), st.floats(0, 20))
def test_height_rises_and_comes_back(top, threshold):
    scale = HeightScale(top, threshold)
    values = np.linspace(0, scale.limit(), 300)
    heights = scale.forward(values)
    assert (np.diff(heights) > 0).all()
    np.testing.assert_allclose(scale.inverse(heights), values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("top", [0.5, 6, 12, 40, 300, 3000])
def test_the_axis_stays_readable(top):
    threshold = 7.3
    scale = HeightScale(top, threshold)
    height = scale.forward(scale.limit())
    assert scale.limit() > top
    assert 0.2 < scale.forward(threshold) / height < 1
    ticks = scale.ticks()
    assert 4 <= len(ticks) <= 14
    assert (np.diff(scale.forward(np.array(ticks))) / height > 0.05).all()
    assert scale.compressed == (top > 30) == bool(scale.note)
    assert ticks[-1] > 0.4 * top


@given(st.integers(0, 10**6), st.integers(1, 3000), st.integers(1, 40), st.integers(1, 40))
def test_thinning_is_bounded_and_keeps_every_hit(seed, points, columns, rows):
    rng = np.random.default_rng(seed)
    x, y, keep = rng.random(points), rng.random(points) ** 2, rng.random(points) < 0.05
    drawn = thin(x, y, keep, (columns, rows))
    assert set(np.flatnonzero(keep)) <= set(drawn)
    assert len(drawn) <= columns * rows + keep.sum()
    cells = {(int(a * columns), int(b * rows)) for a, b in zip(x, y, strict=True)}
    assert {(int(a * columns), int(b * rows)) for a, b in zip(x[drawn], y[drawn], strict=True)} == cells
    assert y.argmax() in drawn


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 0.9)), min_size=1, max_size=10))
def test_spread_labels_do_not_overlap(pairs):
    wanted = np.sort([one for one, _ in pairs])
    widths = np.array([one for _, one in pairs])
    centres = spread(wanted, widths, 10.0)
    assert (centres - widths / 2 >= -1e-9).all()
    assert (centres + widths / 2 <= 10 + 1e-9).all()
    assert (np.diff(centres) >= (widths[:-1] + widths[1:]) / 2 - 1e-9).all()


def test_labels_stay_where_there_is_room():
    np.testing.assert_allclose(spread(np.array([1.0, 5.0, 9.0]), np.full(3, 0.5), 10), [1, 5, 9])


def test_labels_stand_up_when_they_are_many_and_the_weakest_go():
    few = place(["A", "B"], np.array([4.0, 1.0]), np.ones(2), 9.0, fontsize=7)
    assert (few.number.tolist(), few.upright) == ([1, 0], False)
    strength = np.arange(200.0)
    many = place(["LOC100"] * 200, np.linspace(0, 9, 200), strength, 9.0, fontsize=7)
    assert many.upright
    assert 30 < len(many.number) < 80
    assert strength[many.number].min() == 200 - len(many.number)
    none = place([], np.empty(0), np.empty(0), 9.0, fontsize=7)
    assert (len(none.number), none.height) == (0, 0)


def test_long_labels_are_cut():
    assert shorten("21:12345678:ACGTACGTACGT:A") == "21:12345678:ACGTACGTA…"
    assert shorten("rs1") == "rs1"


def test_chromosomes_do_not_overlap():
    positions = {"1": np.array([10, 500]), "2": np.array([7]), "3": np.array([], int), "X": np.array([100, 300])}
    genome = Genome.of(positions)
    assert genome.chromosomes == ["1", "2", "X"]
    edges = [(genome.left[one], genome.left[one] + genome.extent[one]) for one in genome.chromosomes]
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(edges))
    assert genome.place("X", np.array([100, 300])).tolist() == [genome.left["X"], genome.left["X"] + 200]
    assert genome.width == edges[-1][1]
    assert Genome.of({}).width == 1


@pytest.mark.parametrize(
    ("p", "text"), [(5e-8, "5 × 10⁻⁸"), (1e-5, "10⁻⁵"), (0.05, "0.05"), (1.25e-12, "1.25 × 10⁻¹²")]
)
def test_p_values_in_words(p, text):
    assert p_text(p) == text


def test_saved_whole_and_the_same_again(tmp_path):
    for name in ("a", "b"):
        with applied():
            figure = Figure()
            figure.subplots().plot([1, 2], rasterized=True)
            save(figure, [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"])
    assert {one.name for one in tmp_path.iterdir()} == {"a.png", "a.pdf", "b.png", "b.pdf"}
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
