"""The rank-one update of the similarity matrix against a new matrix for every sample."""

import pytest
import torch
from torch.nn import functional

from contigwas.explain.contrast import Reference
from contigwas.pretrain.losses import contig_loss, siglip_loss

N, SAMPLES, WIDTH = 9, 5, 4


def embeddings(seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, WIDTH, generator=drawn, dtype=torch.float64) for rows in (N, N, SAMPLES, SAMPLES)]


def rebuilt(loss, reference, images, genetics):
    """Return (N + 1) x the loss of all samples - N x that of the reference, with a new matrix for each sample."""
    alone = loss(*reference)
    each = []
    for image, one in zip(images, genetics, strict=True):
        whole = loss(torch.cat([reference[0], image[None]]), torch.cat([reference[1], one[None]]))
        each.append((N + 1) * whole - N * alone)
    return torch.stack(each)


CASES = {
    "contig": (lambda v, g: contig_loss(v, g, 0.1, 0.75), {"temperature": 0.1, "alpha": 0.75}),
    "one way": (lambda v, g: contig_loss(v, g, 0.07, 1.0), {"temperature": 0.07, "alpha": 1.0}),
    "hot": (lambda v, g: contig_loss(v, g, 2.0, 0.2), {"temperature": 2.0, "alpha": 0.2}),
    "siglip": (lambda v, g: siglip_loss(v, g, 0.1, -3.0), {"temperature": 0.1, "alpha": 0.75, "bias": -3.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_are_those_of_the_whole_matrix(name):
    loss, parameters = CASES[name]
    first, second, images, genetics = embeddings()
    results = []
    for way in ("updated", "rebuilt"):
        v, g = (one.clone().requires_grad_() for one in (images, genetics))
        if way == "updated":
            found = Reference.of(first, second, **parameters).losses(v, g)
        else:
            found = rebuilt(loss, (first, second), v, g)
        found.square().sum().backward()
        results.append((found.detach(), v.grad, g.grad))
    for updated, expected in zip(*results, strict=True):
        torch.testing.assert_close(updated, expected, rtol=1e-10, atol=1e-10)


def test_losses_of_samples_are_independent():
    first, second, images, genetics = embeddings(1)
    reference = Reference.of(first, second, 0.1, 0.75)
    together = reference.losses(images, genetics)
    alone = torch.cat([reference.losses(images[[one]], genetics[[one]]) for one in range(SAMPLES)])
    torch.testing.assert_close(together, alone)


def test_losses_do_not_depend_on_the_length_of_embeddings():
    first, second, images, genetics = embeddings(2)
    plain = Reference.of(first, second, 0.1, 0.75).losses(images, genetics)
    longer = Reference.of(3 * first, functional.normalize(second, dim=1), 0.1, 0.75).losses(2 * images, 0.5 * genetics)
    torch.testing.assert_close(plain, longer)
