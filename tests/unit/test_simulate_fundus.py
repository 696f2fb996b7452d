"""Simulated fundus photographs show their latent traits."""

import numpy as np
import pytest

from contigwas.simulate.fundus import render
from contigwas.simulate.settings import LATENTS

RIGHT = np.ones(40, dtype=bool)


def drawn(nuisance=0.0, right=RIGHT, seed=0, size=64, **traits):
    """40 eyes with average latents except `traits`; the same seed gives the same vessels and lesions."""
    latents = np.zeros((len(right), len(LATENTS)))
    for name, value in traits.items():
        latents[:, LATENTS.index(name)] = value
    return render(latents, right, size, nuisance, np.random.default_rng(seed)).astype(float)


def inside(size=64, radius=0.85):
    line = (np.arange(size) + 0.5) * 2 / size - 1
    return np.hypot(line, line[:, None]) < radius


def test_images_have_a_round_orange_field_on_black():
    pictures = drawn(nuisance=1.0)
    assert pictures.shape == (40, 64, 64, 3)
    assert pictures[:, :4, :4].mean() < 8
    red, green, blue = pictures[:, inside()].mean(axis=(0, 1))
    assert red > 1.5 * green > 1.5 * blue > 20
    assert pictures.max() <= 255


def test_same_seed_gives_same_image_and_left_eyes_are_mirrored():
    np.testing.assert_array_equal(drawn(1.0), drawn(1.0))
    assert (drawn(1.0) != drawn(1.0, seed=1)).mean() > 0.5
    left = drawn(0.0, right=~RIGHT)
    np.testing.assert_allclose(left[:, :, ::-1], drawn(0.0), atol=1)
    brightest = drawn(0.0).sum(axis=(0, 3)).max(axis=0).argmax()
    assert brightest > 40  # a right eye's disc is on the right


@pytest.mark.parametrize(
    ("trait", "measure", "grows"),
    [
        ("disc", lambda pictures: (pictures[..., 1] > 140).sum(), True),
        ("cup", lambda pictures: (pictures[..., 2] > 150).sum(), True),
        ("calibre", lambda pictures: (pictures[:, inside()][..., 0] < 110).sum(), True),
        ("pigment", lambda pictures: pictures[:, inside()].mean(), False),
        ("lesions", lambda pictures: (pictures[:, :, :36, 1] > 140).sum(), True),
    ],
)
def test_effect_of_each_trait(trait, measure, grows):
    few, middle, many = (measure(drawn(**{trait: value})) for value in (-2.0, 0.0, 2.0))
    assert (few < middle < many) if grows else (few > middle > many)


def test_effect_of_tortuosity():
    def winding(value):
        """Mean change of direction of the darkest pixel of each row, above the disc."""
        red = drawn(tortuosity=value, lesions=-3.5)[:, 8:24, 20:56, 0]
        return np.abs(np.diff(red.argmin(axis=2), n=2, axis=1)).mean()

    assert winding(-2.5) < winding(2.5)


def test_nuisance_adds_variation():
    still, moved, more = drawn(0.0), drawn(1.0), drawn(2.0)
    first = still - still.mean(axis=0)
    assert np.abs(first[:, :8]).mean() < np.abs(moved - still).mean() < np.abs(more - still).mean()


def test_other_sizes_give_the_same_image():
    small, large = drawn(size=64), drawn(size=128)
    halved = large.reshape(40, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert large.shape == (40, 128, 128, 3)
    assert np.corrcoef(halved[:, inside()].ravel(), small[:, inside()].ravel())[0, 1] > 0.97
