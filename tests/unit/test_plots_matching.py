"""The figure of matches: the shares that it shows are those of the table."""

import numpy as np
import pandas as pd
import pytest

from contigwas.pgs.matching import OUTCOMES
from contigwas.plots.matching import MAX_NAMED, plot_matching
from contigwas.runtime.atomic_files import write_tsv


def write_matching(path, scores):
    rng = np.random.default_rng(scores)
    table = pd.DataFrame(rng.integers(0, 50, (scores, len(OUTCOMES))), columns=OUTCOMES)
    table["rows"] = table.sum(axis=1)
    table["overlap"] = table[list(OUTCOMES[:4])].sum(axis=1) / table["rows"]
    table["kept"] = (table["overlap"] >= 0.5).astype(int)
    table.insert(0, "score", [f"PGS{number:06d}" for number in range(scores)])
    write_tsv(table, path)
    return table


@pytest.mark.parametrize("scores", [1, 12, MAX_NAMED])
def test_bars(tmp_path, scores):
    table = write_matching(tmp_path / "m.tsv", scores)
    figure = plot_matching(tmp_path / "m.tsv", 0.5, [tmp_path / "m.png", tmp_path / "m.pdf"])
    axis = figure.axes[0]
    order = [label.get_text() for label in axis.get_yticklabels()]
    known = table.set_index("score").loc[order]
    assert (known["overlap"].diff().dropna() <= 0).all()
    for container, name in zip(axis.containers, OUTCOMES, strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in container], known[name] / known["rows"])
    red = [label.get_text() for label in axis.get_yticklabels() if label.get_color() == "#d1495b"]
    assert red == known.index[known["kept"] == 0].tolist()
    height, bottom = figure.get_size_inches()[1], axis.get_legend().get_window_extent().y0
    assert bottom > 0
    assert height > 2


def test_many_scores_are_columns(tmp_path):
    table = write_matching(tmp_path / "m.tsv", 481)
    figure = plot_matching(tmp_path / "m.tsv", 0.5, [tmp_path / "m.png"])
    axis = figure.axes[0]
    areas = [band.get_paths()[0].to_polygons(closed_only=False)[0] for band in axis.collections]
    enters = np.concatenate([area[:, 1] for area in areas[:4]]).max()
    assert enters == pytest.approx(table["overlap"].max())
    assert "481 polygenic scores, " in axis.get_title(loc="left")
