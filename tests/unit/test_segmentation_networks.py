"""The networks of a segmentation: shapes in two and three dimensions, how genes come in, what learns."""

import pytest
import torch
from torch import nn

from contigwas.downstream.segmentation.networks import CrossAttention, Film, Genes, Light, Plain, unet, unetr
from contigwas.downstream.segmentation.views import Views
from contigwas.pretrain.networks import image_encoder
from contigwas.pretrain.normalise import PixelScaler

RESNET = {"image_encoder": "resnet10", "width": 8, "norm": "batch"}
VIT = {"image_encoder": "vit_tiny", "patch": 8, "depth": 4}


def scaler(channels):
    return PixelScaler(torch.full((channels,), 0.5), torch.full((channels,), 0.25))


class Tokens(nn.Module):
    """Stands for an encoder of genes: six values to two tokens of width 5, and their mean."""

    width = 5

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3, 5)

    def tokens(self, values, components=None):
        return self.line(values.view(len(values), 2, 3))

    def forward(self, values, components=None):
        return self.tokens(values).mean(dim=1)


def light(shape=(3, 32, 32), recipe=RESNET, fusion="none", freeze=False):
    torch.manual_seed(1)
    genes = None if fusion == "none" else Genes(Tokens(), 5, tokens=fusion == "cross_attention")
    return Light(scaler(shape[0]), image_encoder(recipe, shape), shape, 3, 16, fusion, genes, freeze)


@pytest.mark.parametrize("recipe", [RESNET, VIT])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 16, 16, 16)])
@pytest.mark.parametrize("fusion", ["none", "film", "cross_attention"])
def test_logits_have_the_images_size(recipe, shape, fusion):
    network = light(shape, recipe, fusion)
    genes = None if fusion == "none" else (torch.randn(2, 6), torch.empty(2, 0), torch.tensor([True, False, True]))
    logits = network(torch.rand(3, *shape), genes)
    assert logits.shape == (3, 3, *shape[1:])
    logits.square().mean().backward()
    without = [name for name, one in network.named_parameters() if one.grad is None]
    assert all(name.startswith("trunk") for name in without), "of a trunk the pooling's norm may be unused"


def test_a_resnet_takes_another_size_than_it_was_made_for():
    assert light((3, 64, 64))(torch.rand(2, 3, 48, 80)).shape == (2, 3, 48, 80)


@pytest.mark.parametrize("make", [unet, unetr])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32, 32)])
def test_the_baselines_take_no_genes(make, shape):
    assert Plain(scaler(shape[0]), make(shape, 2))(torch.rand(2, *shape), None).shape == (2, 2, *shape[1:])


def test_film_scales_and_shifts_every_channel():
    film = Film(4, 3)
    features, genes = torch.randn(2, 4, 5, 6), torch.randn(2, 3)
    assert (film(features, genes) == features).all(), "it begins as the identity"
    nn.init.normal_(film.line.weight)
    line = film.line(genes)
    for sample in range(2):
        for channel in range(4):
            expected = features[sample, channel] * (1 + line[sample, channel]) + line[sample, 4 + channel]
            assert torch.allclose(film(features, genes)[sample, channel], expected, atol=1e-6)


def test_cross_attention_is_of_every_place_to_every_token():
    torch.manual_seed(2)
    fusion = CrossAttention(8, 5).eval()
    features, genes = torch.randn(2, 8, 3, 2), torch.randn(2, 4, 5)
    answer = fusion(features, genes)
    assert torch.allclose(answer, fusion(features, genes[:, [2, 0, 3, 1]]), atol=1e-6), "tokens have no order"
    alone = fusion(features[:1, :, :1, :1], genes[:1])
    assert torch.allclose(answer[:1, :, :1, :1], alone, atol=1e-6), "a place asks for itself"
    assert not torch.allclose(answer, fusion(features, genes + 1))


def test_samples_without_genes_get_the_learned_vector():
    for tokens in (False, True):
        genes = Genes(Tokens(), 5, tokens).eval()
        nn.init.normal_(genes.null)
        values, here = torch.randn(2, 6), torch.tensor([False, True, True])
        found = genes(values, torch.empty(2, 0), here)
        expected = genes.encoder.tokens(values) if tokens else genes.encoder(values)
        assert torch.allclose(found[1:], genes.norm(expected))
        assert (found[0] == genes.null).all()
        nobody = genes(values[:0], torch.empty(0, 0), torch.tensor([False, False]))
        assert (nobody == genes.null).all()


def test_in_training_some_samples_lose_their_genes():
    torch.manual_seed(3)
    genes = Genes(Tokens(), 5, tokens=False)
    found = genes(torch.randn(2000, 6), torch.empty(2000, 0), torch.ones(2000, dtype=torch.bool))
    lost = (found == genes.null).all(dim=1).float().mean()
    assert 0.07 < lost < 0.13


def test_one_sample_with_genes_makes_a_batch():
    """A BatchNorm of genes keeps its statistics; that of a trunk, which was read in evaluation, has a batch's."""
    encoder = Tokens()
    encoder.line = nn.Sequential(encoder.line, nn.Flatten(), nn.BatchNorm1d(10), nn.Unflatten(1, (2, 5)))
    trunk = image_encoder(RESNET, (3, 32, 32)).eval()
    network = Light(scaler(3), trunk, (3, 32, 32), 3, 16, "film", Genes(encoder.eval(), 5, tokens=False))
    assert trunk.bn1.training and encoder.training and not encoder.line[2].training
    before = trunk.bn1.running_mean.clone()
    network(torch.rand(4, 3, 32, 32), (torch.randn(1, 6), torch.empty(1, 0), torch.arange(4) == 2))
    assert not torch.equal(trunk.bn1.running_mean, before)


def test_what_is_frozen_neither_learns_nor_moves_its_statistics():
    network = light(fusion="film", freeze=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    genes = torch.randn(4, 6), torch.empty(4, 0), torch.ones(4, dtype=torch.bool)
    optimizer = torch.optim.SGD([one for one in network.parameters() if one.requires_grad], lr=0.1)
    for _ in range(2):
        network(torch.rand(4, 3, 32, 32), genes).square().mean().backward()
        optimizer.step()
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert "trunk" not in changed
    assert {"laterals", "stem", "last", "fusion"} <= changed


def test_a_mask_moves_with_its_image():
    """The image shows the mask: after a random view it still does."""
    views = Views.of({"rotation": 30, "flip": True, "crop": 0.6, "brightness": 0.0, "contrast": 0.0})
    for sizes in ((40, 40), (20, 20, 20)):
        masks = torch.zeros(6, *sizes, dtype=torch.int64)
        masks[:, 8:14, 5:12] = 1
        masks[:, 11:16, 10:18] = 2
        levels = (masks[:, None] / 2).float()
        seen, moved = views(levels, masks, 3, torch.Generator().manual_seed(1))
        assert set(moved.unique().tolist()) == {0, 1, 2}
        assert not torch.equal(moved, masks)
        whole = torch.isclose(seen[:, 0] * 2, (seen[:, 0] * 2).round(), atol=1e-4)
        inside = whole & (
            torch.nn.functional.max_pool2d(moved.float().flatten(0, -3), 3, 1, 1).view(moved.shape) == moved
        )
        assert ((seen[:, 0] * 2).round()[inside] == moved[inside]).float().mean() > 0.97


def test_only_the_image_is_shaded():
    views = Views.of({"rotation": 0, "flip": False, "crop": 1.0, "brightness": 0.5, "contrast": 0.5})
    levels, masks = torch.rand(3, 3, 8, 8), torch.randint(0, 3, (3, 8, 8))
    seen, moved = views(levels, masks, 3, torch.Generator().manual_seed(1))
    assert torch.equal(moved, masks)
    assert not torch.allclose(seen, levels)
