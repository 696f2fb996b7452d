"""The contrastive autoencoder: loss terms against explicit formulas, weights of 0, embeddings, image sizes."""

import math

import anndata as ad
import numpy as np
import pytest
import torch
from pretraining import SIMCLR, run, write_study
from torch.distributions import Normal, kl_divergence

from contigwas.embed import embed
from contigwas.pretrain.autoencoder_halves import latent_coder
from contigwas.pretrain.data import Batch, load_training_data
from contigwas.pretrain.losses import kl_loss
from contigwas.pretrain.methods.contrastive_autoencoder import ContrastiveAutoencoder
from contigwas.pretrain.normalise import fit_pixels
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint

RECIPE = {key: value for key, value in SIMCLR.items() if key not in ("image_encoder", "norm", "patch", "weights")} | {
    "method": "contrastive_autoencoder",
    "latent": 6,
    "units": 0,
    "contrast": 0.5,
    "variational": False,
    "kl": 0.1,
    "batch": 8,
    "epochs": 2,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(folder)


def module(study, **settings):
    torch.manual_seed(5)
    settings = RECIPE | settings
    loaded = load_training_data(**study[1] | {"modalities": {}}, settings=settings, fold=0)
    pixels = fit_pixels(loaded.photographs, loaded.photographs.first[loaded.train])
    return ContrastiveAutoencoder(loaded, pixels, settings, 9)


def batch_of(one):
    samples = one.data.train[:8]
    return Batch(samples, one.data.photographs.first[samples])


def views_of(one, batch):
    """Return the two views of each image that the module's generator gives."""
    levels = one.levels(batch)
    return one.view(torch.cat([levels, levels]), torch.Generator().manual_seed(9), views=2)


@pytest.mark.parametrize("variational", [False, True])
def test_the_terms_match_explicit_formulas(study, variational):
    one = module(study, variational=variational)
    batch = batch_of(one)
    views = views_of(one, batch)
    torch.manual_seed(1)
    losses = {name: loss.detach() for name, loss in one.losses(batch).items()}
    coded = one.trunk.encode(views).flatten(1)
    latents = one.trunk.mean(coded)
    first, second = latents[:8], latents[8:]
    contrast = 0.0
    for anchors, partners in ((first, second), (second, first)):
        for i in range(8):
            near = {}
            for name, side in (("own", anchors), ("other", partners)):
                for j in range(8):
                    cosine = anchors[i] @ side[j] / anchors[i].norm() / side[j].norm()
                    near[name, j] = math.exp(float(cosine.detach()) / one.settings["temperature"])
            rest = sum(value for key, value in near.items() if key != ("own", i))
            contrast -= math.log(near["other", i] / rest) / 16
    assert float(losses["views"]) == pytest.approx(contrast, rel=1e-4)
    drawn_from, total = latents, 0.5 * contrast
    if variational:
        posterior = Normal(latents, (one.trunk.log_variance(coded) / 2).exp())
        divergence = float(kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1).mean().detach())
        assert float(losses["kl"]) == pytest.approx(divergence, rel=1e-5)
        total += 0.1 * divergence
        torch.manual_seed(1)
        drawn_from = latents + posterior.stddev * torch.randn_like(latents)
    else:
        assert set(losses) == {"reconstruction", "views"}
    error = (one.decoder(drawn_from) - views).square().mean().detach()
    assert float(losses["reconstruction"]) == pytest.approx(float(error), rel=1e-4)
    assert float(one.total(losses)) == pytest.approx(total + float(error), rel=1e-4)


def test_the_divergence_matches_torch_and_its_gradient_is_correct():
    mean, log_variance = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
    assert float(kl_loss(mean, log_variance)) == pytest.approx(float(expected))
    assert torch.autograd.gradcheck(kl_loss, (mean.requires_grad_(), log_variance.requires_grad_()))
    assert float(kl_loss(torch.zeros(2, 3), torch.zeros(2, 3))) == 0


def test_without_contrast_it_is_the_plain_autoencoder(study):
    """The gradients are those of the reconstruction only; the contrast is still reported."""
    one = module(study, contrast=0)
    batch = batch_of(one)
    views = views_of(one, batch)
    losses = one.losses(batch)
    assert float(losses["views"]) > 0
    parameters = [*one.trunk.parameters(), *one.decoder.parameters()]
    found = torch.autograd.grad(one.total(losses), parameters)
    plain = torch.autograd.grad((one.decoder(one.trunk(views)) - views).square().mean(), parameters)
    for here, there in zip(found, plain, strict=True):
        assert torch.allclose(here, there, atol=1e-6)
    contrasted = module(study, contrast=0.5)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), contrasted.parameters(), strict=True))


@pytest.mark.parametrize("variational", [False, True])
def test_it_trains_and_the_mean_is_embedded(study, variational):
    folder, files = study
    name = f"v{variational}"
    _, history = run(folder, files, RECIPE | {"variational": variational}, name=name)
    terms = ["reconstruction", "views", *(["kl"] if variational else [])]
    weights = {"reconstruction": 1, "views": 0.5, "kl": 0.1}
    for part in ("train", "val"):
        total = sum(weights[term] * history[f"{part}_{term}"] for term in terms)
        assert np.allclose(history[f"{part}_loss"], total, rtol=1e-4)
    assert {"view_to_other@1", "alignment_views", "rank_me"} <= set(history.columns)
    path = folder / name / "embeddings.h5ad"
    settings = {"checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}
    checkpoint = folder / name / "model.ckpt"
    embed(checkpoint, files["images_npy"], files["images_table"], files["cohort"], settings, path)
    data = ad.read_h5ad(path)
    assert data.n_vars == RECIPE["latent"]
    learned = Pretrained.of(read_checkpoint(checkpoint), checkpoint)
    loaded = load_training_data(**files | {"modalities": {}}, settings=RECIPE, fold=0)
    photographs, samples = loaded.photographs, data.obs_names
    levels = learned.pixels()(photographs.gather(torch.arange(4)).float() / 255)
    trunk = learned.trunk()
    mean = trunk.posterior(levels)[0] if variational else trunk(levels)
    expected = mean.reshape(2, 2, -1).mean(dim=1).detach().numpy()  # two photographs each
    assert np.allclose(data[samples[:2]].X, expected, atol=1e-5)
    drawn = learned.decoder()(trunk(levels))
    assert drawn.shape == levels.shape


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 30, 45), (1, 16, 18, 21)])
@pytest.mark.parametrize("units", [0, 1])
def test_reconstructions_have_the_size_of_the_images(shape, units):
    encoder, decoder = latent_coder(shape, 5, 8, units, variational=False)
    latents = encoder(torch.randn(2, *shape))
    assert latents.shape == (2, 5) and encoder.features == 5
    assert decoder(latents).shape == (2, *shape)


def test_the_latents_follow_brightness(study):
    """Brightness is the only feature that the images of the study have in common."""
    folder, files = study
    settings = RECIPE | {"contrast": 0, "epochs": 30, "lr": 5.0e-3, "augment": {}}
    _, history = run(folder, files, settings, name="reconstructs")
    assert history["val_reconstruction"].iloc[-1] < 0.7 * history["val_reconstruction"].iloc[0]
