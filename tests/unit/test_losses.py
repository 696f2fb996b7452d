"""Contrastive losses against double loops and finite differences."""

import math

import numpy as np
import pytest
import torch

from contigwas.pretrain.losses import contig_loss, ntxent_loss


def pair(people=7, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(people, width, dtype=torch.float64, generator=generator) for _ in range(2))


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize(("temperature", "alpha"), [(0.1, 0.75), (0.5, 0.0), (1.0, 1.0)])
def test_contig_against_a_double_loop(temperature, alpha):
    images, genetics = pair()
    v, g = images.tolist(), genetics.tolist()
    total = 0.0
    for i in range(len(v)):
        rows = sum(math.exp(cosine(v[i], g[j]) / temperature) for j in range(len(v)))
        columns = sum(math.exp(cosine(v[j], g[i]) / temperature) for j in range(len(v)))
        own = cosine(v[i], g[i]) / temperature
        total += alpha * (math.log(rows) - own) + (1 - alpha) * (math.log(columns) - own)
    assert float(contig_loss(images, genetics, temperature, alpha)) == pytest.approx(total / len(v), rel=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_ntxent_against_a_double_loop(temperature):
    first, second = pair(seed=1)
    views = [*first.tolist(), *second.tolist()]
    n, total = len(first), 0.0
    for i in range(2 * n):
        others = sum(math.exp(cosine(views[i], views[j]) / temperature) for j in range(2 * n) if j != i)
        total += math.log(others) - cosine(views[i], views[(i + n) % (2 * n)]) / temperature
    assert float(ntxent_loss(first, second, temperature)) == pytest.approx(total / (2 * n), rel=1e-12)


@pytest.mark.parametrize("loss", [lambda a, b: contig_loss(a, b, 0.1, 0.75), lambda a, b: ntxent_loss(a, b, 0.1)])
def test_gradients_against_finite_differences(loss):
    first, second = pair(people=5)
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize("loss", [lambda a, b: contig_loss(a, b, 0.1, 0.75), lambda a, b: ntxent_loss(a, b, 0.1)])
def test_right_pairs_cost_least_and_length_does_not_matter(loss):
    sides = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0])
    right = float(loss(sides, sides))
    assert right < 0.01 < float(loss(sides, sides.roll(1, dims=0)))
    assert float(loss(3 * sides, 0.5 * sides)) == pytest.approx(right, rel=1e-12)
