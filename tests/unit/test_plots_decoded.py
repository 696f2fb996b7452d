"""Drawn images: walks undo what alignment and components did, samples that the network did not see, draws of nobody."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from pretraining import run, write_study
from test_contrastive_autoencoder import RECIPE

from contigwas.align import align
from contigwas.embed import embed
from contigwas.phenotypes import write_phenotypes
from contigwas.plots import decoded
from contigwas.plots.decoded import STEPS, Drawer, reconstructions, walked, walks
from contigwas.pretrain.pretrained import read_checkpoint
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import stable_hash

PHENOTYPES = {"components": 3, "transform": "none", "covariates": [], "image_covariates": []}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A variational network of a small study, its embeddings and components; and one of the method autoencoder."""
    folder = tmp_path_factory.mktemp("study")
    files = write_study(folder)
    plain = {"method": "autoencoder", "image_encoder": "resnet10", "norm": "batch", "weights": None}
    for name, more in (("latent", {"variational": True}), ("plain", plain)):
        run(folder, files, RECIPE | more, name=name)
        place = folder / name
        settings = {"checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}
        embeddings = place / "fold.h5ad"
        embed(place / "model.ckpt", files["images_npy"], files["images_table"], files["cohort"], settings, embeddings)
        align([embeddings], place / "aligned.h5ad", place / "alignment.json", genetics=False)
        outputs = [place / one for one in ("phenotypes.parquet", "covariates.parquet", "pca.h5ad")]
        write_phenotypes(place / "aligned.h5ad", embeddings, files["cohort"], None, None, PHENOTYPES, *outputs)
    return folder, files


def test_walks_go_through_the_samples(drawn):
    """A sample's scores, walked to, give the sample's projection; the mean gives the training samples' mean."""
    folder, _ = drawn
    names, ratios, latents = walked(folder / "latent/pca.h5ad")
    data = ad.read_h5ad(folder / "latent/fold.h5ad")
    training = data.X[data.obs["role"] == "train"].astype(float)
    assert names == ["E1", "E2", "E3"] and 0 < sum(ratios) <= 1
    assert np.allclose(latents[:, STEPS.index(0)], training.mean(axis=0), atol=1e-4)
    standard = (training - training.mean(axis=0)) / training.std(axis=0)
    scores = pd.read_parquet(folder / "latent/phenotypes.parquet").set_index("iid")
    there = data.obs_names[data.obs["role"] == "train"]
    spread = scores.loc[there, "E1"].std()
    step = (latents[0, STEPS.index(1)] - training.mean(axis=0)) / training.std(axis=0)
    assert np.linalg.norm(step) == pytest.approx(spread, rel=1e-3)
    assert np.allclose(standard @ step / np.linalg.norm(step), scores.loc[there, "E1"], atol=1e-3)


def test_without_components_the_features_are_walked(tmp_path):
    nothing = pd.DataFrame({"explained_variance": [], "explained_ratio": []}, index=pd.Index([], dtype=str))
    uns = {"mean": np.arange(4.0), "sd": np.full(4, 2.0), "centre": np.zeros(4)}
    var = pd.DataFrame(index=[f"F{one}" for one in range(1, 5)])
    ad.AnnData(X=np.empty((0, 4)), obs=nothing, var=var, uns=uns).write_h5ad(tmp_path / "pca.h5ad")
    names, _, latents = walked(tmp_path / "pca.h5ad")
    assert names == ["F1", "F2", "F3", "F4"]
    assert latents[2].tolist() == [[0, 1, 2 + 2 * step, 3] for step in STEPS]


@pytest.mark.parametrize("name", ["latent", "plain"])
def test_drawn_images_are_what_the_decoder_gives_on_the_scale_of_pixels(drawn, name):
    folder, files = drawn
    drawer = Drawer.of(folder / name / "model.ckpt", "last")
    images = torch.from_numpy(np.load(files["images_npy"])[:3]).movedim(-1, 1)
    back = drawer(drawer.features(images))
    assert back.shape == (3, 32, 32, 3) and back.dtype == np.uint8
    state = read_checkpoint(folder / name / "model.ckpt")["state_dict"]
    levels = (images.float() / 255 - state["pixels.mean"].view(1, 3, 1, 1)) / state["pixels.sd"].view(1, 3, 1, 1)
    with torch.inference_mode():
        raw = drawer.decoder(drawer.trunk(levels))
    raw = raw * state["pixels.sd"].view(1, 3, 1, 1) + state["pixels.mean"].view(1, 3, 1, 1)
    assert np.abs(back - 255 * raw.clamp(0, 1).movedim(1, -1).numpy()).max() <= 0.51


def test_only_samples_whom_the_network_did_not_train_on_are_shown(drawn, monkeypatch):
    folder, files = drawn
    asked = []
    loader = decoded.load_photographs
    monkeypatch.setattr(decoded, "load_photographs", lambda *given: asked.append(given[2]) or loader(*given))
    checkpoint, private = folder / "latent/model.ckpt", folder / "private"
    arguments = (checkpoint, files["images_npy"], files["images_table"], files["cohort"])
    figure = reconstructions(*arguments, [private / "a.png"], seed=1)
    roles = read_checkpoint(checkpoint)["roles"]
    assert len(asked[0]) and {stable_hash(one) for one in asked[0]} <= {*roles["validation"], *roles["heldout"]}
    assert private.stat().st_mode & 0o777 == 0o700
    assert "did not train on" in figure.get_suptitle()
    text = " ".join(one.get_text() for one in figure.findobj(lambda one: hasattr(one, "get_text")))
    assert not any(one in text for one in asked[0])


def test_figures(drawn):
    folder, _ = drawn
    for name, variational, wide in (("latent", True, True), ("plain", False, False)):
        place = folder / name
        outputs = [place / "decoded.png", place / "decoded.pdf"]
        figure = walks(place / "model.ckpt", place / "pca.h5ad", outputs, name, 1, variational)
        assert (figure.get_size_inches()[0] > 6) == wide
        assert imread(outputs[0]).std() > 0.01 and outputs[1].stat().st_size > 1000


def test_components_of_another_network(drawn):
    folder, _ = drawn
    with pytest.raises(UserError, match="components of 64 features, but .* gives 6"):
        walks(folder / "latent/model.ckpt", folder / "plain/pca.h5ad", [folder / "x.png"], "x", 1, False)
