"""MGI: training with missing expression, reading its checkpoint, the symmetric contrast."""

import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import MGI, SIZE, run, write_study
from torch.nn import functional

from contigwas.pretrain import sequence
from contigwas.pretrain.methods.mgi import MGI as Method
from contigwas.pretrain.pretrained import Pretrained
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import write_modality


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Write a study where image brightness follows six of 30 genes."""
    folder = tmp_path_factory.mktemp("mgi")
    files = write_study(folder)
    pixels, table = np.load(folder / "images.npy"), pd.read_parquet(folder / "images.parquet")
    shine = pd.Series(pixels.mean(axis=(1, 2, 3)), table["iid"]).groupby(level=0).mean()
    rng = np.random.default_rng(5)
    iids = pd.Index(rng.permutation(shine.index)[: int(0.9 * len(shine))])
    values = rng.normal(size=(len(iids), 30)).astype(np.float32)
    values[:, ::5] += ((shine[iids] - shine.mean()) / shine.std()).to_numpy()[:, None]
    path = folder / "expression.h5ad"
    write_modality(path, values, iids, pd.DataFrame(index=[f"G{number}" for number in range(30)]), {})
    return folder, files | {"modalities": {"expression": path}}


@pytest.mark.parametrize("kind", ["mamba", "transformer", "mlp"])
def test_it_learns_with_each_gene_encoder(study, kind):
    folder, files = study
    settings = MGI | {"gene_encoder": kind, "epochs": 12, "dropout": 0.0, "lr": 3e-3}
    state, history = run(folder, files, settings, name=kind)
    assert np.isfinite(history[["train_loss", "val_loss", "image_to_expression@1"]]).all().all()
    assert history["train_loss"].iloc[-3:].mean() < 0.9 * history["train_loss"].iloc[0]
    assert len(state["features"]["expression"]) == 24


def test_the_checkpoint_restores_trunk_maps_and_gene_encoder(study):
    folder, files = study
    state, _ = run(folder, files, MGI, name="again")
    learned = Pretrained.of(state, "model.ckpt")
    assert learned.modalities == ["expression"] and learned.shape == (3, SIZE, SIZE)
    trunk, encoder, images = learned.trunk(), learned.encoder("expression"), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        maps = trunk.maps(learned.pixels()(images))
        assert [tuple(one.shape) for one in maps] == [(2, 192, 4, 4)] * 4
        assert torch.allclose(maps[-1].mean(dim=(2, 3)), trunk(learned.pixels()(images)), atol=1e-5)
        raw = torch.randn(3, 30)
        tokens = encoder.tokens(raw)
        assert tokens.shape == (3, 12, 16) and learned.head("expression")(trunk(images)).shape == (2, 8)
        assert torch.allclose(encoder(raw), encoder.head(tokens.mean(dim=1)))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, state["state_dict"][f"genetics.expression.{name}"])


def test_the_contrast_is_ntxent_in_both_directions_with_equal_weights():
    torch.manual_seed(0)
    first, second = torch.randn(6, 4), torch.randn(6, 4)
    module = Method.__new__(Method)
    torch.nn.Module.__init__(module)
    module.settings = {"learn_temperature": False, "temperature": 0.2}
    wanted = 0.0
    for one, other in ((first, second), (second, first)):
        for row in range(6):
            cosines = [functional.cosine_similarity(one[row], other[column], dim=0) / 0.2 for column in range(6)]
            wanted += (torch.logsumexp(torch.stack(cosines), 0) - cosines[row]) / 12
    assert module.contrast(first, second).item() == pytest.approx(wanted.item(), rel=1e-5)
    assert module.contrast(second, first).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_sequences_longer_than_memory_are_refused_before_training(study, monkeypatch):
    folder, files = study
    monkeypatch.setattr(sequence, "available", lambda: 1000)
    with pytest.raises(UserError, match="24 tokens .* lower batch, genes or gene_width in the recipe, raise genes_per"):
        run(folder, files, MGI | {"genes_per_token": 1}, name="never")
    assert not (folder / "never" / "model.ckpt").exists()
