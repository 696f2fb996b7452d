"""The search for IIDs finds them wherever a run could leave one, and the page of a made-up run has none."""

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from contigwas.plots import style
from tests.identifiers import named, searched, words
from tests.report.study import IIDS

IID = IIDS[17]


def drawn(path):
    with style.applied():
        figure = Figure()
        figure.subplots().set_title(f"the image of {IID} is sharp")
        style.save(figure, [path])


def noted(path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Source", f"/photographs/{IID}/left.png")
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)


LEAKS = {
    "report.html": lambda path: path.write_text(f"<p>Locus 1</p><!-- {IID} -->"),
    "logs/images/images.log": lambda path: path.write_text(f"WARNING photographs/{IID}_left.png is blank"),
    "models/contig/plots/qq.pdf": drawn,
    "models/contig/plots/qq.png": noted,
    "models/contig/plots/points.parquet": lambda path: pd.DataFrame({"id": [f"x{IID}y"]}).to_parquet(path),
    "lineage/images.json": lambda path: path.write_text(f'{{"origins": ["in/{IID}.png"]}}'),
    f"models/contig/plots/{IID}.txt": lambda path: path.write_text("nothing"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_an_iid_is_found_wherever_it_stands(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    LEAKS[name](tmp_path / name)
    (tmp_path / "clean.tsv").write_text("731\t0001\n")
    assert [path for path, _ in named(searched(tmp_path), IIDS)] == [tmp_path / name]


def test_the_text_of_a_figure_is_read(tmp_path):
    drawn(tmp_path / "figure.pdf")
    assert any("is sharp" in text for text in words(tmp_path / "figure.pdf"))


def test_what_holds_people_by_design_is_spared(tmp_path):
    for name in ("samples/cohort.tsv", "private/list.tsv", "scratch/state.txt", "models/contig/loci.tsv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(IID)
    assert [path.name for path in searched(tmp_path)] == ["loci.tsv"]


def test_the_page_names_nobody(full_page, bare_page, tmp_path):
    assert named([full_page, bare_page], IIDS) == []
    text = full_page.read_text()
    leaking = tmp_path / "report.html"
    leaking.write_text(text.replace("</main>", f"{IID}</main>"))
    assert named([leaking], IIDS) == [(leaking, 1)]
