"""Random views: reproducible, within bounds, random per image."""

import math

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


def test_zero_strength_changes_nothing():
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
def test_each_transformation_is_random_per_image_and_reproducible(strength):
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


def bricks(images=4, size=9):
    """Volumes whose voxels all differ, 0 round the edge."""
    inner = torch.rand(images, 1, size - 2, size - 2, size - 2, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.pad(inner, [1] * 6)


def volume_views(levels, seed=0, **strength):
    return Augmentation(**strength)(levels, torch.Generator().manual_seed(seed))


def test_zero_strength_changes_no_volume():
    assert torch.equal(volume_views(bricks()), bricks())


@pytest.mark.parametrize("strength", [{"hue": 0.1}, {"blur": 2.0}], ids=lambda one: next(iter(one)))
def test_hue_and_blur_do_not_change_volumes(strength):
    assert torch.equal(volume_views(bricks(), **strength), bricks())


def test_a_flip_of_a_volume_mirrors_left_and_right_half_the_time():
    plain = bricks(64)
    got = volume_views(plain, flip=True)
    mirrored = [torch.allclose(one, other.flip(-1), atol=1e-5) for one, other in zip(got, plain, strict=True)]
    unchanged = [torch.allclose(one, other, atol=1e-5) for one, other in zip(got, plain, strict=True)]
    assert sum(mirrored) + sum(unchanged) == 64 and 16 <= sum(mirrored) <= 48


class Fixed(Augmentation):
    """Draws the given shares of each range instead of random ones."""

    def at(self, levels, shares):
        shares = iter(shares)
        return self._move_volume(
            levels, lambda low, high: torch.full((len(levels),), low + (high - low) * next(shares))
        )


# which of the three turns is at its end, and the plane in which it turns
@pytest.mark.parametrize(("turn", "plane"), [(0, (-2, -1)), (1, (-3, -1)), (2, (-3, -2))])
@pytest.mark.parametrize(("share", "times"), [(1.0, 1), (0.0, -1)])
def test_a_quarter_turn_of_a_volume_moves_every_voxel_where_it_should(turn, plane, share, times):
    shares = [0.5] * 7  # crop, the three turns at 0, the shifts at 0
    shares[1 + turn] = share
    got = Fixed(rotation=90.0).at(bricks(), shares)
    # from the first of the two axes towards the second
    expected = torch.rot90(bricks(), times, plane)
    assert torch.allclose(got, expected, atol=1e-5)


def test_a_small_rotation_moves_a_voxel_by_its_angle():
    levels = torch.zeros(1, 1, 65, 65, 65)
    levels[0, 0, 32, 32, 56] = 1  # 24 voxels from the middle along the width
    got = Fixed(rotation=30.0).at(levels, [0.5, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5])[0, 0]
    places = torch.stack(torch.meshgrid(*[torch.arange(65.0) - 32] * 3, indexing="ij"))
    middle = (got * places).sum(dim=(1, 2, 3)) / got.sum()
    angle = math.radians(30)
    assert middle.tolist() == pytest.approx([0, -24 * math.sin(angle), 24 * math.cos(angle)], abs=0.35)


def test_a_crop_of_a_volume_enlarges_and_stays_inside():
    white = torch.ones(100, 1, 16, 16, 16)
    inner = volume_views(white, crop=0.2)[:, :, 1:-1, 1:-1, 1:-1]
    assert inner.min() > 0.999
    levels = torch.zeros(1, 1, 32, 32, 32)
    levels[..., 12:20, 12:20, 12:20] = 1
    got = Fixed(crop=0.125).at(levels, [0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])  # an eighth of the volume: twice as large
    assert got.sum() == pytest.approx(8 * float(levels.sum()), rel=0.02)


def test_brightness_and_contrast_of_a_volume():
    levels = 0.3 + 0.4 * bricks(200)
    factor = volume_views(levels, brightness=0.2) / levels
    each = factor.mean(dim=(1, 2, 3, 4))
    assert torch.allclose(factor, each.view(-1, 1, 1, 1, 1).expand_as(factor), atol=1e-5)
    assert 0.8 <= each.min() < 0.85 and 1.15 < each.max() <= 1.2
    got = volume_views(levels, contrast=0.2)
    over = (1, 2, 3, 4)
    assert torch.allclose(got.mean(dim=over), levels.mean(dim=over), atol=1e-5)
    ratio = got.std(dim=over) / levels.std(dim=over)
    assert 0.8 <= ratio.min() < 0.85 and 1.15 < ratio.max() <= 1.2
