"""Attributions against closed forms and manual calculations, and their completeness."""

import pytest
import torch
from torch import nn

from contigwas.explain import attribution
from contigwas.explain.attribution import MAX_ERROR, Noise, deeplift, integrated_gradients, relative_error

ROWS = 64


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def square(embedding, images):
    """Integrated gradients of a linear embedding of width 1 have a closed form."""
    return embedding[:, 0] ** 2 + 0 * images[:, 0]


def test_integrated_gradients_of_a_square_are_the_closed_form():
    encoder = nn.Linear(5, 1, bias=False)
    x, baseline, images = drawn(7, 5), drawn(7, 5, seed=1), drawn(7, 2)
    found = integrated_gradients(encoder, square, x, baseline, images, steps=8, rows=ROWS)
    end, start = encoder(x)[:, 0], encoder(baseline)[:, 0]
    expected = (
        (x - baseline) * encoder.weight[0] * (end + start)[:, None]
    )  # the mean of 2 f along the line is their sum
    torch.testing.assert_close(found.values, expected.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.difference, (end**2 - start**2).detach(), rtol=1e-4, atol=1e-5)
    assert found.steps == 8


def test_memory_does_not_change_the_result():
    encoder, x, images = nn.Linear(5, 1), drawn(7, 5), drawn(7, 2)
    whole, parts = (
        integrated_gradients(encoder, square, x, torch.zeros_like(x), images, steps=12, rows=rows).values
        for rows in (1000, 7)
    )
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-5)


def test_kinks_get_more_steps_until_the_attributions_are_complete():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
    x, images = 3 * drawn(20, 5), drawn(20, 2)
    found = integrated_gradients(encoder, square, x, torch.zeros_like(x), images, steps=4, rows=ROWS)
    assert found.steps > 4
    assert relative_error(found.error, found.difference).max() <= MAX_ERROR
    with torch.no_grad():
        expected = square(encoder(x), images) - square(encoder(torch.zeros_like(x)), images)
    torch.testing.assert_close(found.difference, expected, rtol=1e-4, atol=1e-4)


def test_attributions_and_differences_are_averaged_over_noise():
    encoder = nn.Linear(3, 1, bias=False)
    x, images = drawn(4, 3), drawn(4, 2)
    noise = Noise(copies=200, sd=0.5, seed=1)
    found = integrated_gradients(encoder, square, x, torch.zeros_like(x), images, 4, ROWS, noise)
    # E[(w (x + e))^2] = (w x)^2 + sd^2 |w|^2
    expected = encoder(x)[:, 0] ** 2 + 0.25 * encoder.weight.square().sum()
    torch.testing.assert_close(found.difference, expected.detach(), rtol=0.25, atol=0.15)
    assert relative_error(found.error, found.difference).max() < 1e-3
    again = integrated_gradients(encoder, square, x, torch.zeros_like(x), images, 4, ROWS, noise)
    assert torch.equal(found.values, again.values)
    before = torch.random.get_rng_state()
    integrated_gradients(encoder, square, x, torch.zeros_like(x), images, 4, ROWS, noise)
    assert torch.equal(before, torch.random.get_rng_state()), "the global random state is unchanged"


def test_deeplift_is_the_rescale_rule():
    torch.manual_seed(0)
    first, second = nn.Linear(4, 6), nn.Linear(6, 2)
    encoder = nn.Sequential(first, nn.ReLU(), second)
    x, baseline, images = drawn(5, 4), drawn(5, 4, seed=1), drawn(5, 2)

    def loss(embedding, images):
        return (embedding * images).sum(dim=1)

    found = deeplift(encoder, loss, x, baseline, images, steps=4, rows=ROWS)
    with torch.no_grad():
        here, there = first(x), first(baseline)
        rescaled = (here.relu() - there.relu()) / (here - there)
        multipliers = ((images @ second.weight) * rescaled) @ first.weight
    torch.testing.assert_close(found.values, multipliers * (x - baseline), rtol=1e-4, atol=1e-5)


def test_deeplift_through_a_head_that_is_not_elementwise_is_complete():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.BatchNorm1d(12), nn.Linear(12, 3)).eval()
    x, images = 2 * drawn(10, 6), drawn(10, 3)

    def loss(embedding, images):
        cosine = nn.functional.cosine_similarity(embedding, images)
        return torch.stack([10 * cosine, torch.ones_like(cosine)]).logsumexp(dim=0)

    found = deeplift(encoder, loss, x, torch.zeros_like(x), images, steps=16, rows=ROWS)
    with torch.no_grad():
        expected = loss(encoder(x), images) - loss(encoder(torch.zeros_like(x)), images)
    torch.testing.assert_close(found.values.sum(dim=1), expected, rtol=MAX_ERROR, atol=MAX_ERROR)


def test_an_error_is_relative_to_at_least_a_tenth_of_the_mean():
    error, difference = torch.tensor([0.01, 0.01, -0.2]), torch.tensor([0.0, 1.0, -2.0])
    assert relative_error(error, difference).tolist() == pytest.approx([0.1, 0.01, 0.1])


def test_a_linear_encoder_gives_the_same_result_without_evaluation_at_every_point(monkeypatch):
    encoder, x, baseline, images = nn.Linear(5, 1), drawn(7, 5), drawn(7, 5, seed=1), drawn(7, 2)
    passed = []
    encoder.register_forward_hook(lambda module, given, made: passed.append(len(made)))
    short = integrated_gradients(encoder, square, x, baseline, images, steps=20, rows=ROWS)
    assert sum(passed) == 3 * 7
    monkeypatch.setattr(attribution, "is_linear", lambda encoder: False)
    whole = integrated_gradients(encoder, square, x, baseline, images, steps=20, rows=ROWS)
    assert sum(passed) > 20 * 7
    torch.testing.assert_close(short.values, whole.values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(short.difference, whole.difference, rtol=1e-4, atol=1e-5)
