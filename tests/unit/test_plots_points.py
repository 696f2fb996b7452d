"""Points of a Manhattan plot: whatever the row groups, the same points are drawn, and every hit is one of them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contigwas.plots.genome import Genome, thin
from contigwas.plots.manhattan_points import extent, points
from contigwas.plots.style import HeightScale

THRESHOLD = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("points")


def write(path, pos, y, rows):
    table = pa.table({"pos": pos.astype(np.int32), "log10p_E1": y.astype(np.float32)})
    pq.write_table(table, path, row_group_size=rows)
    return path


def drawn(path, cells):
    one = extent(path, "E1")
    scale = HeightScale(one.top, THRESHOLD)
    genome = Genome.of({"1": one.ends})
    return one, scale, genome, points(path, "E1", "1", genome, scale, THRESHOLD, one.top, cells)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 600), st.integers(1, 200), st.integers(1, 30), st.integers(1, 30))
def test_row_groups_do_not_matter_and_no_hit_is_lost(folder, seed, size, rows, columns, cells):
    rng = np.random.default_rng(seed)
    pos = np.sort(rng.integers(1, 10_000, size))
    y = rng.exponential(1, size).round(1).astype(np.float32)  # rounded, so that there are ties
    y[rng.random(size) < 0.1] = np.nan
    y[0], y[-1], pos[-1] = 1.0, 0.5, 10_000
    one, scale, genome, (x, heights, hit) = drawn(write(folder / "g.parquet", pos, y, rows), (columns, cells))
    known = ~np.isnan(y)
    assert (one.count, one.first, one.last) == (known.sum(), pos[known].min(), pos[known].max())
    assert one.top == np.nanmax(y)
    hits = known & (y >= THRESHOLD)
    np.testing.assert_array_equal(heights[hit], y[hits])
    np.testing.assert_allclose(x[hit], genome.place("1", pos[hits]))
    # the oracle: all points at once, as if the file had one row group
    rest = known & ~hits
    place, limit = genome.place("1", pos[rest]), scale.forward(scale.limit())
    kept = thin(
        place / genome.width, scale.forward(y[rest]) / limit, np.zeros(rest.sum(), dtype=bool), (columns, cells)
    )
    np.testing.assert_array_equal(heights[~hit], y[rest][kept])
    np.testing.assert_allclose(x[~hit], place[kept])
    assert (~hit).sum() <= columns * cells


def test_infinite_ones_are_hits_at_the_top(folder):
    y = np.array([0.5, np.inf, 12.0, np.nan, 1.0])
    one, _, _, (_, heights, hit) = drawn(write(folder / "i.parquet", np.arange(1, 6), y, 2), (50, 50))
    assert (one.count, one.top) == (4, 12.0)
    assert heights[hit].tolist() == [12.0, 12.0]
    y[:] = np.inf
    one, _, _, (_, heights, hit) = drawn(write(folder / "j.parquet", np.arange(1, 6), y, 2), (50, 50))
    assert heights[hit].tolist() == [300.0] * 5


def test_nothing_tested(folder):
    one = extent(write(folder / "n.parquet", np.arange(1, 4), np.full(3, np.nan), 2), "E1")
    assert (one.count, one.top, len(one.ends)) == (0, 0.0, 0)
    empty = pd.DataFrame({"pos": np.array([], np.int32), "log10p_E1": np.array([], np.float32)})
    empty.to_parquet(folder / "e.parquet")
    assert extent(folder / "e.parquet", "E1").count == 0
