"""Image encoders and encoders of genetics: shapes, initial weights, and behaviour in training only."""

import numpy as np
import pytest
import torch
from pretraining import RECIPE
from scipy.stats import linregress

from contigwas.pretrain.networks import GeneticsEncoder, features_of, image_encoder, start_from_betas
from contigwas.pretrain.normalise import fit
from contigwas.runtime.errors import UserError


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet34", "resnet50", "vit_tiny"])
@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 32, 32, 32)])
def test_image_encoders_return_the_pooled_last_stage(name, shape):
    trunk = image_encoder(RECIPE | {"image_encoder": name}, shape).eval()
    assert trunk(torch.randn(2, *shape)).shape == (2, features_of(trunk))
    assert features_of(trunk) == (192 if name == "vit_tiny" else 256 if name == "resnet50" else 64)


def test_large_photographs_get_the_large_stem():
    assert image_encoder(RECIPE, (3, 256, 256)).no_max_pool is False
    assert image_encoder(RECIPE, (3, 64, 64)).no_max_pool is True


def test_group_norm_has_no_running_statistics():
    assert not any("running" in name for name in image_encoder(RECIPE | {"norm": "group"}, (3, 64, 64)).state_dict())


def test_patches_must_divide_the_image():
    with pytest.raises(UserError, match="60 x 60 pixels do not divide into patches of 16"):
        image_encoder(RECIPE | {"image_encoder": "vit_tiny"}, (3, 60, 60))


def test_betas_are_those_of_regressions_one_feature_at_a_time():
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.integers(0, 3, (200, 6)).astype(np.int8))
    targets = torch.from_numpy(rng.normal(size=(200, 3))) + values[:, :3]
    encoder = GeneticsEncoder(fit("snps", values), "linear", 8, 3, 0.0)
    start_from_betas(encoder, values, None, targets)
    scaled = encoder.normaliser(values).numpy()
    betas = np.array([[linregress(scaled[:, f], targets[:, t]).slope for f in range(6)] for t in range(3)])
    weight = encoder.layers[0].weight.detach().numpy()
    assert weight / np.linalg.norm(weight, axis=1)[:, None] == pytest.approx(
        betas / np.linalg.norm(betas, axis=1)[:, None], abs=1e-5
    )
    assert encoder(values).std(dim=0).tolist() == pytest.approx([1, 1, 1], rel=1e-4)


def test_corruption_replaces_its_share_of_values_by_those_of_other_samples():
    values = torch.arange(400.0).reshape(100, 4) + torch.tensor([0, 1000, 2000, 3000])
    encoder = GeneticsEncoder(fit("x", values), "linear", 8, 4, 0.0, corruption=0.3).train()
    encoder.layers = torch.nn.Identity()
    torch.manual_seed(0)
    clean, swapped = encoder.normaliser(values), encoder(values)
    changed = (clean != swapped).float().mean()
    assert 0.2 < changed < 0.4
    assert all(set(swapped[:, column].tolist()) <= set(clean[:, column].tolist()) for column in range(4))
    assert torch.equal(encoder.eval()(values), clean)


def test_noise_is_appended_to_the_covariates_in_training_only():
    values = torch.randn(50, 2)
    encoder = GeneticsEncoder(fit("covariates", values), "linear", 8, 4, 0.0, noise=3)
    encoder.layers = torch.nn.Identity()
    assert encoder.train()(values).shape == (50, 5) and not torch.equal(encoder(values), encoder(values))
    assert not encoder.eval()(values)[:, 2:].any()


def test_components_are_regressed_out_of_any_modality():
    rng = np.random.default_rng(0)
    components = torch.from_numpy(rng.normal(size=(300, 2)).astype(np.float32))
    values = torch.from_numpy((rng.random((300, 5)) < torch.sigmoid(components[:, :1]).numpy()).astype(np.int8))
    normaliser = fit("snps", values, components=components)
    residual = normaliser(values, components).numpy()
    correlation = np.corrcoef(np.hstack([residual, components.numpy()]).T)[:5, 5:]
    assert np.abs(correlation).max() < 1e-5
    assert residual.std(axis=0) == pytest.approx(np.ones(5), rel=1e-4)
