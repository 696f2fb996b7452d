"""The search for IIDs finds them wherever a run could leave one, and the page of a made-up run has none."""

import base64
import io

import anndata as ad
import h5py
import numpy as np
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
    Image.new("RGB", (4, 4)).save(path, "png", pnginfo=info)


def embedded(mime, data):
    """What leaks `data` in a page, as its downloads and pictures are."""
    uri = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return lambda path: path.write_text(f'<p>Locus 1</p><a href="{uri}">TSV</a>')


def picture():
    kept = io.BytesIO()
    noted(kept)
    return kept.getvalue()


def annotated(path):
    ad.AnnData(np.zeros((2, 2), np.float32)).write_h5ad(path)
    with h5py.File(path, "a") as file:
        file["uns"].create_dataset("fitted_on", data=np.array([b"none", IID.encode()]), compression="gzip")


LEAKS = {
    "report.html": lambda path: path.write_text(f"<p>Locus 1</p><!-- {IID} -->"),
    "models/contig/download.html": embedded("text/tab-separated-values", f"locus\tiid\n1\t{IID}\n".encode()),
    "models/contig/picture.html": embedded("image/png", picture()),
    "models/contig/unknown.html": embedded("application/octet-stream", IID.encode()),
    "models/contig/alignment.npz": lambda path: np.savez_compressed(path, fitted=np.array(["1", IID])),
    "models/contig/fitted.npy": lambda path: np.save(path, np.array(["1", IID])),
    "models/contig/pca.h5ad": annotated,
    "logs/images/images.log": lambda path: path.write_text(f"WARNING photographs/{IID}_left.png is blank"),
    "models/contig/plots/qq.pdf": drawn,
    "models/contig/plots/qq.png": noted,
    "models/contig/plots/points.parquet": lambda path: pd.DataFrame({"id": [f"x{IID}y"]}).to_parquet(path),
    "training_inputs/images.json": lambda path: path.write_text(f'{{"external_inputs": ["in/{IID}.png"]}}'),
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


def test_what_holds_samples_by_design_is_spared(tmp_path):
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
