"""Random views: reproducible, within bounds, one draw an image."""

import pytest
import torch

from contigwas.pretrain.augment import Augmentation


def disc(images=4, size=41):
    """Four coloured discs, brighter at the upper right."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = ((x - size // 2) ** 2 + (y - size // 2) ** 2 <= (size // 2 - 1) ** 2).float()
    grey = inside * (0.4 + 0.2 * (x - y) / size)
    return (grey * torch.tensor([1.0, 0.7, 0.4])[:, None, None]).expand(images, 3, size, size).clone()


def views(seed=0, images=4, **strength):
    return Augmentation(**strength)(disc(images), torch.Generator().manual_seed(seed))


def test_no_strength_changes_nothing():
    assert torch.equal(views(), disc())


@pytest.mark.parametrize(
    "strength",
    [
        {"rotation": 90.0},
        {"crop": 0.5},
        {"brightness": 0.3},
        {"contrast": 0.3},
        {"hue": 0.1},
        {"blur": 2.0},
    ],
    ids=lambda one: next(iter(one)),
)
def test_each_strength_acts_image_by_image_and_by_the_seed(strength):
    first = views(**strength)
    assert torch.equal(first, views(**strength))
    assert not torch.equal(first, views(seed=1, **strength))
    assert not torch.allclose(first, disc(), atol=1e-3)
    assert not torch.allclose(first[0], first[1], atol=1e-3)
    assert first.shape == disc().shape and first.min() >= 0 and first.max() <= 1


def test_a_flip_is_a_mirror_image_half_the_time():
    got, plain = views(images=64, flip=True), disc(1)[0]
    mirrored = sum(torch.allclose(one, plain.flip(-1), atol=1e-4) for one in got)
    unchanged = sum(torch.allclose(one, plain, atol=1e-4) for one in got)
    assert mirrored + unchanged == 64 and 16 <= mirrored <= 48


def test_a_rotation_keeps_the_disc():
    assert views(rotation=180.0).sum() == pytest.approx(float(disc().sum()), rel=0.02)


def test_a_crop_enlarges_and_stays_inside_the_photograph():
    white = torch.ones(200, 3, 33, 33)
    view = Augmentation(crop=0.25)(white, torch.Generator().manual_seed(0))
    assert view.min() > 0.999  # nothing from beyond the frame
    point = torch.zeros(200, 1, 33, 33)
    point[:, :, 12:21, 12:21] = 1
    share = Augmentation(crop=0.25)(point, torch.Generator().manual_seed(0)).mean(dim=(1, 2, 3)) / point[0].mean()
    assert share.max() <= 4.5 and share.max() > 2.5


def test_brightness_is_a_factor():
    ratio = (views(brightness=0.2).sum(dim=(1, 2, 3)) / disc().sum(dim=(1, 2, 3))).tolist()
    assert all(0.79 <= one <= 1.21 for one in ratio)
