"""Training curves of histories with more and with fewer columns."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from contigwas.errors import UserError
from contigwas.plots.training import retrieval_panels, training_curves


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def history(folder, name, epochs=5, pairs=("pgs", "snps"), **columns):
    table = pd.DataFrame({"epoch": np.arange(1, epochs + 1), "train_loss": np.linspace(5, 1, epochs)})
    for pair in pairs:
        for rank in (1, 5, 10):
            table[f"image_to_{pair}@{rank}"] = rank / 20
            table[f"{pair}_to_image@{rank}"] = rank / 30
            table[f"chance_{pair}@{rank}"] = rank / 400
    table.assign(**columns).to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"


def titles(figure):
    return [axis.get_title(loc="left") for axis in figure.axes if axis.axison]


def test_panels_of_a_contrast(tmp_path):
    files = {f"fold {fold}": history(tmp_path, fold, val_loss=2.0) for fold in range(3)}
    figure = training_curves(files, [tmp_path / "t.png", tmp_path / "t.pdf"], "contig")
    assert titles(figure) == ["loss", "image – pgs, retrieval@10", "image – snps, retrieval@10"]
    losses, pgs = figure.axes[:2]
    assert len(losses.lines) == 6
    assert sorted({float(line.get_ydata()[0]) for line in pgs.lines}) == [10 / 400, 10 / 30, 10 / 20]
    assert [text.get_text() for text in pgs.get_legend().get_texts()] == ["image → pgs", "pgs → image", "chance"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(files)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [axis._left_title.get_window_extent(renderer) for axis in figure.axes]
    assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
    assert boxes[-1].x1 <= figure.canvas.get_width_height()[0]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


@pytest.mark.parametrize(
    ("columns", "panels"),
    [
        ({}, ["loss"]),
        ({"val_loss": np.nan}, ["loss"]),
        (
            {"view_to_other@10": 0.5, "other_to_view@10": 0.5, "chance_views@10": 0.01},
            ["loss", "other – view, retrieval@10"],
        ),
        ({"retrieval_image_to_pgs@5": 0.5, "chance@5": 0.1}, ["loss", "image – pgs, retrieval@5"]),
        ({"retrieval@1": 0.5}, ["loss", "retrieval, retrieval@1"]),
    ],
)
def test_histories_with_less(tmp_path, columns, panels):
    path = history(tmp_path, "h", pairs=(), **columns)
    figure = training_curves({"fold 0": path}, [tmp_path / "t.png"], "simclr")
    assert titles(figure) == panels
    chance = [name for name in columns if name.startswith("chance")]
    assert [line.get_linestyle() for line in figure.axes[-1].lines].count(":") == len(chance)


def test_one_epoch_is_seen(tmp_path):
    figure = training_curves({"fold 0": history(tmp_path, "h", epochs=1)}, [tmp_path / "t.png"], "")
    assert figure.axes[0].lines[0].get_marker() == "o"


def test_ranks():
    assert retrieval_panels(["a_to_image@1", "a_to_image@20", "chance_a@20"]) == {"image – a": ["a_to_image@1"]}
    assert retrieval_panels(["epoch", "chance_a@10"]) == {}


def test_bad_input(tmp_path):
    (tmp_path / "empty.csv").touch()
    pd.DataFrame({"epoch": [1]}).to_csv(tmp_path / "short.csv")
    for name in ("empty", "short"):
        with pytest.raises(UserError, match=f"{name}.csv is not a training history"):
            training_curves({"fold 0": tmp_path / f"{name}.csv"}, [tmp_path / "t.png"], "")
    with pytest.raises(UserError, match="does not exist"):
        training_curves({"fold 0": tmp_path / "none.csv"}, [tmp_path / "t.png"], "")
    assert not (tmp_path / "t.png").exists()
