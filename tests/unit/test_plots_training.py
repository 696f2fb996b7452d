"""Training curves of histories as pretraining writes them."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.plots.training import training_curves
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError

A4 = 8.27  # inches
WHOLE = ["loss", "RankMe (dimensions)", "learning rate (in 0.001)"]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def history(folder, name, epochs=5, contrasts=("snps", "pgs"), ways=None, validated=True, sides=True):
    """A history of random numbers, with the columns in pretraining's order."""
    rng = np.random.default_rng(len(name) + epochs)
    lost = 1.0 if validated else np.nan
    table = pd.DataFrame({"epoch": np.arange(1, epochs + 1), "step": 3, "lr": 1e-3})
    for column in ("train_loss", *(f"train_{one}" for one in contrasts)):
        table[column] = rng.random(epochs)
    for column in ("val_loss", *(f"val_{one}" for one in contrasts)):
        table[column] = lost * rng.random(epochs)
    for one in contrasts if validated and sides else ():
        there, back = ways or (f"image_to_{one}", f"{one}_to_image")
        for rank in (1, 5, 10):
            table[f"{there}@{rank}"], table[f"{back}@{rank}"] = rng.random(epochs), rng.random(epochs)
            table[f"chance_{one}@{rank}"] = rank / 400
        table[f"alignment_{one}"], table[f"uniformity_{one}"] = rng.random(epochs), -rng.random(epochs)
    if validated:
        table["rank_me"] = 10 * rng.random(epochs)
    table.to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"


def titles(figure):
    return [axis.get_title(loc="left") for axis in figure.axes if axis.axison]


def drawn(figure, title):
    """Lines of the panel: (colour, style, y); dots: (colour, x, y)."""
    (axis,) = (one for one in figure.axes if one.get_title(loc="left") == title)
    lines = [line for line in axis.lines if line.get_marker() != "o"]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    curves = [(line.get_color(), line.get_linestyle(), list(line.get_ydata())) for line in lines]
    return curves, [(dot.get_color(), float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in dots]


def boxes(figure):
    """Where the titles and the legends stand, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts = [axis._left_title for axis in figure.axes] + [figure._suptitle]
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    found = [one.get_window_extent(renderer) for one in (*texts, *legends)]
    return [box for box in found if box.width > 1], figure.canvas.get_width_height()


def test_every_column_is_drawn(tmp_path):
    files = {f"fold {fold}": history(tmp_path, f"{'h' * (fold + 1)}") for fold in range(3)}
    figure = training_curves(files, [tmp_path / "t.png", tmp_path / "t.pdf"], "contig")
    panels = {"loss, all together": {"train_loss": "-", "val_loss": "--"}, "RankMe (dimensions)": {"rank_me": "-"}}
    panels["learning rate (in 0.001)"] = {"lr": "-"}
    for name in ("snps", "pgs"):
        panels[f"loss, {name}"] = {f"train_{name}": "-", f"val_{name}": "--"}
        for title, way in ((f"image → {name}", f"image_to_{name}"), (f"{name} → image", f"{name}_to_image")):
            ranks = {1: "-", 5: "--", 10: ":"}
            panels[f"{title}, R@k"] = {f"{way}@{rank}": line for rank, line in ranks.items()}
            panels[f"{title}, R@k"] |= {f"chance_{name}@{rank}": line for rank, line in ranks.items()}
        panels |= {f"{one}, {name}": {f"{one}_{name}": "-"} for one in ("alignment", "uniformity")}
    assert titles(figure) == list(panels)
    colors = [line.get_color() for line in figure.legends[0].get_lines()]
    assert len(set(colors)) == 3
    for title, columns in panels.items():
        curves, dots = drawn(figure, title)
        assert len(curves) == 3 * len(columns)
        for color, path in zip(colors, files.values(), strict=True):
            table = pd.read_csv(path)
            least = min(range(5), key=lambda row: table["val_loss"][row])
            for column, line in columns.items():
                chance = column.startswith("chance")
                assert any(
                    (one == color or chance) and kind == line and np.allclose(values, table[column])
                    for one, kind, values in curves
                )
                marked = (color, least + 1, table[column][least]) in dots
                assert marked == (not chance and not column.startswith("train") and column != "lr")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(files)
    key = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert key == ["training", "validation", "R@1", "R@5", "R@10", "chance", "least val. loss"]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


@pytest.mark.parametrize(
    ("folds", "contrasts"), [(5, ("snps", "pgs", "burden", "a_very_long_name_of_a_modality")), (12, ("pgs",))]
)
def test_many_folds_fit_the_page(tmp_path, folds, contrasts):
    files = {f"fold {fold}": history(tmp_path, f"{'h' * (fold + 1)}", 40, contrasts) for fold in range(folds)}
    figure = training_curves(files, [tmp_path / "t.png"], "contig")
    found, (width, height) = boxes(figure)
    assert figure.get_size_inches()[0] <= A4
    assert figure.get_size_inches()[1] <= 8
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in found)
    assert not any(a.overlaps(b) for number, a in enumerate(found) for b in found[:number])


@pytest.mark.parametrize(
    ("options", "panels"),
    [
        (
            {"contrasts": ("views",), "ways": ("view_to_other", "other_to_view")},
            [*WHOLE, "view → other, R@k", "other → view, R@k", "alignment, views", "uniformity, views"],
        ),
        (
            {"contrasts": ("reconstruction",), "sides": False},
            WHOLE,
        ),
        (
            {"validated": False},
            ["loss, all together", "learning rate (in 0.001)", "loss, snps", "loss, pgs"],
        ),
    ],
)
def test_histories_with_less(tmp_path, options, panels):
    figure = training_curves({"fold 0": history(tmp_path, "h", **options)}, [tmp_path / "t.png"], "model")
    assert titles(figure) == panels
    found, _ = boxes(figure)
    assert not any(a.overlaps(b) for number, a in enumerate(found) for b in found[:number])


def test_one_epoch_is_seen(tmp_path):
    figure = training_curves({"fold 0": history(tmp_path, "h", epochs=1)}, [tmp_path / "t.png"], "")
    assert {line.get_marker() for line in figure.axes[0].lines} == {"_", "o"}
    assert [tick for tick in figure.axes[0].get_xticks() if 0.5 < tick < 1.5] == [1]


def test_a_fold_may_lack_a_modality(tmp_path):
    """Where too few samples validate, a fold has no figures: its columns are absent or empty."""
    files = {"fold 0": history(tmp_path, "whole"), "fold 1": history(tmp_path, "part", contrasts=("snps",))}
    figure = training_curves(files, [tmp_path / "t.png"], "")
    assert [len(drawn(figure, f"loss, {name}")[0]) for name in ("snps", "pgs")] == [4, 2]


@pytest.mark.parametrize("method", ["contig", "simclr", "untrained", "pixel_pca"])
def test_what_pretraining_writes(tmp_path, method):
    study = write_study(tmp_path)
    settings = (RECIPE if method == "contig" else SIMCLR) | {"method": method}
    if method != "contig":
        study["modalities"] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        train(**study, settings=settings, fold=0, output_checkpoint=tmp_path / "m", output_history=tmp_path / "h.csv")
    figure = training_curves({"fold 0": tmp_path / "h.csv"}, [tmp_path / "t.png"], method)
    if method in ("contig", "simclr"):
        assert len(titles(figure)) == {"contig": 18, "simclr": 7}[method]
        weights = torch.load(tmp_path / "m", weights_only=True)
        assert {x for _, x, _ in drawn(figure, titles(figure)[0])[1]} == {weights["best_epoch"]}
    else:
        assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["nothing is trained"]
        assert figure.get_size_inches()[1] < 1.5


def test_bad_input(tmp_path):
    (tmp_path / "empty.csv").touch()
    pd.DataFrame({"epoch": [1]}).to_csv(tmp_path / "short.csv")
    for name in ("empty", "short"):
        with pytest.raises(UserError, match=f"{name}.csv is not a training history"):
            training_curves({"fold 0": tmp_path / f"{name}.csv"}, [tmp_path / "t.png"], "")
    with pytest.raises(UserError, match="does not exist"):
        training_curves({"fold 0": tmp_path / "none.csv"}, [tmp_path / "t.png"], "")
    assert not (tmp_path / "t.png").exists()
