"""Contrastive losses against double loops and finite differences."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from contigwas.pretrain.embedding_metrics import alignment, rank_me, uniformity
from contigwas.pretrain.losses import (
    barlow_twins_loss,
    byol_loss,
    contig_loss,
    nnclr_loss,
    ntxent_loss,
    siglip_loss,
    simsiam_loss,
)


def pair(samples=7, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(samples, width, dtype=torch.float64, generator=generator) for _ in range(2))


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


@pytest.mark.parametrize(("temperature", "bias"), [(0.1, -10.0), (1.0, 0.0)])
def test_siglip_against_a_double_loop(temperature, bias):
    images, genetics = pair(seed=2)
    v, g = images.tolist(), genetics.tolist()
    total = 0.0
    for i in range(len(v)):
        for j in range(len(v)):
            z = 1 if i == j else -1
            total += math.log1p(math.exp(-z * (cosine(v[i], g[j]) / temperature + bias)))
    assert float(siglip_loss(images, genetics, temperature, bias)) == pytest.approx(total / len(v), rel=1e-12)


def test_byol_against_a_loop():
    predicted, target = pair(seed=3)
    p, t = predicted.tolist(), target.tolist()
    total = 0.0
    for x, y in zip(p, t, strict=True):
        x, y = ([one / math.hypot(*row) for one in row] for row in (x, y))
        total += sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    assert float(byol_loss(predicted, target)) == pytest.approx(total / len(p), rel=1e-12)


def test_simsiam_against_a_loop():
    sides = [*pair(seed=4), *pair(seed=5)]
    first_p, second_p, first_z, second_z = (one.tolist() for one in sides)
    there = sum(cosine(a, b) for a, b in zip(first_p, second_z, strict=True)) / 7
    back = sum(cosine(a, b) for a, b in zip(second_p, first_z, strict=True)) / 7
    assert float(simsiam_loss(*sides)) == pytest.approx(-(there + back) / 2, rel=1e-12)


@pytest.mark.parametrize("redundancy", [0.005, 1.0])
def test_barlow_twins_against_a_double_loop(redundancy):
    first, second = pair(seed=6)
    a, b = first.T.tolist(), second.T.tolist()
    total = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            c = float(np.corrcoef(a[i], b[j])[0, 1])
            total += (1 - c) ** 2 if i == j else redundancy * c**2
    assert float(barlow_twins_loss(first, second, redundancy)) == pytest.approx(total, rel=1e-10)


def test_nnclr_against_a_double_loop():
    projected, predicted = pair(seed=7)
    queue, _ = pair(samples=20, seed=8)
    p, q = predicted.tolist(), queue.tolist()
    total = 0.0
    for i, row in enumerate(projected.tolist()):
        nearest = max(q, key=lambda one: cosine(row, one))
        others = sum(math.exp(cosine(nearest, p[j]) / 0.1) for j in range(len(p)))
        total += math.log(others) - cosine(nearest, p[i]) / 0.1
    assert float(nnclr_loss(projected, predicted, queue, 0.1)) == pytest.approx(total / len(p), rel=1e-12)


LOSSES = {
    "contig": lambda a, b: contig_loss(a, b, 0.1, 0.75),
    "ntxent": lambda a, b: ntxent_loss(a, b, 0.1),
    "siglip": lambda a, b: siglip_loss(a, b, 0.1, -10.0),
    "barlow_twins": lambda a, b: barlow_twins_loss(a, b, 0.005),
    "simsiam": lambda a, b: simsiam_loss(a, b, *pair(samples=5, seed=9)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_against_finite_differences(name):
    first, second = pair(samples=5)
    assert torch.autograd.gradcheck(LOSSES[name], (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize(
    "loss", [lambda a, b, t, _: contig_loss(a, b, t.exp(), 0.75), lambda a, b, t, c: siglip_loss(a, b, t.exp(), c)]
)
def test_gradients_of_a_learned_temperature_and_bias_against_finite_differences(loss):
    learned = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (-2.0, -3.0))
    assert torch.autograd.gradcheck(loss, (*(one.requires_grad_() for one in pair(samples=5)), *learned))


@pytest.mark.parametrize("name", ["byol", "nnclr"])
def test_gradients_of_one_side_against_finite_differences(name):
    still, moving = pair(samples=5)
    loss = {"byol": lambda one: byol_loss(one, still), "nnclr": lambda one: nnclr_loss(still, one, still, 0.1)}[name]
    assert torch.autograd.gradcheck(loss, moving.requires_grad_())


def test_no_gradient_flows_to_detached_targets():
    first, second = (one.requires_grad_() for one in pair())
    byol_loss(first, second).backward()
    assert second.grad is None and first.grad.abs().sum() > 0
    still = [one.requires_grad_() for one in pair(seed=9)]
    simsiam_loss(first, second, *still).backward()
    assert still[0].grad is None and still[1].grad is None and second.grad.abs().sum() > 0


def test_embedding_metrics():
    generator = torch.Generator().manual_seed(0)
    even = torch.randn(500, 32, generator=generator)
    same = torch.ones(500, 32)
    assert alignment(even, even) == pytest.approx(0, abs=1e-6) and alignment(even, -even) == pytest.approx(4, rel=1e-5)
    assert uniformity(same) == pytest.approx(0, abs=1e-4) and uniformity(even) == pytest.approx(-3.75, abs=0.1)
    rows = functional.normalize(even[:40], dim=1).tolist()
    pairs = [math.dist(rows[i], rows[j]) ** 2 for i in range(40) for j in range(i)]
    assert uniformity(even[:40]) == pytest.approx(math.log(np.mean(np.exp(-2 * np.array(pairs)))), rel=1e-4)
    wide = torch.linalg.qr(torch.randn(500, 32, generator=generator))[0]
    assert rank_me(wide) == pytest.approx(32, rel=1e-3)
    assert rank_me(wide[:, :1] @ torch.ones(1, 32)) == pytest.approx(1, abs=1e-3)


def test_embedding_metrics_against_formulas_in_numpy():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 60, 7)) @ np.diag([5, 3, 2, 1, 1, 0.1, 0.01])
    a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (first, second))
    values = np.linalg.svd(first, compute_uv=False)
    share = values / values.sum() + 1e-7
    apart = [((a[i] - a[j]) ** 2).sum() for i in range(60) for j in range(i)]
    tensors = torch.from_numpy(first), torch.from_numpy(second)
    assert alignment(*tensors) == pytest.approx(
        np.mean([((x - y) ** 2).sum() for x, y in zip(a, b, strict=True)]), rel=1e-5
    )
    assert uniformity(tensors[0]) == pytest.approx(np.log(np.mean(np.exp(-2 * np.array(apart)))), rel=1e-5)
    assert rank_me(tensors[0]) == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=1e-9)


@pytest.mark.parametrize("loss", [lambda a, b: contig_loss(a, b, 0.1, 0.75), lambda a, b: ntxent_loss(a, b, 0.1)])
def test_matching_pairs_have_the_lowest_loss_and_length_has_no_effect(loss):
    sides = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0])
    right = float(loss(sides, sides))
    assert right < 0.01 < float(loss(sides, sides.roll(1, dims=0)))
    assert float(loss(3 * sides, 0.5 * sides)) == pytest.approx(right, rel=1e-12)
