"""Integrated gradients of one sample's contrastive loss: rank-one update compared with rebuilding the matrix.

All programs give the same attributions (checked here) for the same samples, with the same network (a linear encoder of
`--features` SNPs), reference batch and number of points, by captum. They run one after the other in every repetition.

- `loop` processes one sample at a time and rebuilds the similarity matrix of reference and sample at every point.
- `loop, points at once` rebuilds the matrices of all points of a sample as one batch.
- `encoder at every point` is contigwas without the shortcut for linear encoders, that is, the rank-one update alone.

Both loops get the embeddings of the reference without counting their time. Times are medians of the runs: CPU seconds,
which other load on the machine hardly changes, and wall seconds.

    python benchmarks/explain.py            # appends to benchmarks/explain.tsv
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import torch
from captum.attr import IntegratedGradients
from measure import append
from torch import Tensor, nn

from contigwas.explain.attribution import integrated_gradients
from contigwas.explain.contrast import Reference
from contigwas.explain.network import FLOATS
from contigwas.pretrain.losses import contig_loss

HERE = Path(__file__).resolve().parent
TEMPERATURE, ALPHA, WIDTH = 0.1, 0.75, 128


def by_update(encoder: nn.Module, images: Tensor, genetics: Tensor, inputs: Tensor, own: Tensor, steps: int) -> Tensor:
    """Compute attributions as in the stage explain."""
    reference = Reference.of(images, genetics, TEMPERATURE, ALPHA)
    found, rows = [], FLOATS // (inputs.shape[1] + 4096)
    for part, image in zip(inputs.split(rows // steps), own.split(rows // steps), strict=True):
        arguments = (part, torch.zeros_like(part), image, steps, rows)
        found.append(integrated_gradients(encoder, lambda g, v: reference.losses(v, g), *arguments).values)
    return torch.cat(found)


def every_point(encoder: nn.Module, *arguments: object) -> Tensor:
    """Compute attributions of an encoder that is not treated as linear."""
    return by_update(nn.Sequential(encoder, nn.Identity()), *arguments)


def by_loop(encoder: nn.Module, images: Tensor, genetics: Tensor, inputs: Tensor, own: Tensor, steps: int) -> Tensor:
    """Compute the matrix again for every sample and point."""

    def loss(points: Tensor, image: Tensor) -> Tensor:
        v = torch.cat([images, image[:1]])
        each = [contig_loss(v, torch.cat([genetics, one[None]]), TEMPERATURE, ALPHA) for one in encoder(points)]
        return len(v) * torch.stack(each)

    return _by_sample(loss, inputs, own, steps)


def at_once(encoder: nn.Module, images: Tensor, genetics: Tensor, inputs: Tensor, own: Tensor, steps: int) -> Tensor:
    """Compute the matrices of all points of a sample as one batch."""
    rebuilt = torch.vmap(lambda v, g: contig_loss(v, g, TEMPERATURE, ALPHA), in_dims=(None, 0))

    def loss(points: Tensor, image: Tensor) -> Tensor:
        v, g = torch.cat([images, image[:1]]), encoder(points)
        return len(v) * rebuilt(v, torch.cat([genetics.expand(len(g), -1, -1), g[:, None]], dim=1))

    return _by_sample(loss, inputs, own, steps)


def _by_sample(loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, own: Tensor, steps: int) -> Tensor:
    method = IntegratedGradients(loss)
    found = [
        method.attribute(one[None], torch.zeros_like(one[None]), additional_forward_args=(image[None],), n_steps=steps)
        for one, image in zip(inputs, own, strict=True)
    ]
    return torch.cat(found).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--features", type=int, default=3500)
    parser.add_argument("--reference", type=int, default=256)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    encoder = nn.Linear(arguments.features, WIDTH).requires_grad_(False)
    images, own = torch.randn(arguments.reference, WIDTH), torch.randn(arguments.samples, WIDTH)
    with torch.no_grad():
        genetics = encoder(torch.randn(arguments.reference, arguments.features))
    inputs = torch.randn(arguments.samples, arguments.features)
    programs = {
        "contigwas": by_update,
        "contigwas, encoder at every point": every_point,
        "loop": by_loop,
        "loop, points at once": at_once,
    }
    cpu, wall = {name: [] for name in programs}, {name: [] for name in programs}
    for _ in range(arguments.runs):
        results = {}
        for name, program in programs.items():
            start, clock = time.process_time(), time.perf_counter()
            results[name] = program(encoder, images, genetics, inputs, own, arguments.steps)
            cpu[name].append(time.process_time() - start)
            wall[name].append(time.perf_counter() - clock)
        for name, found in results.items():
            torch.testing.assert_close(found, results["contigwas"], rtol=1e-3, atol=1e-4, msg=f"{name} differs")
    what = {
        name: getattr(arguments, name) for name in ("n_samples", "features", "reference", "steps", "threads", "runs")
    }
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    rows = []
    for name in programs:
        spent, clock = median(cpu[name]), median(wall[name])
        ratio = {"cpu_ratio": spent / median(cpu["contigwas"]), "wall_ratio": clock / median(wall["contigwas"])}
        rows.append({"date": str(date.today()), "machine": machine, "program": name, **what,
                     "cpu_s": round(spent, 3), "wall_s": round(clock, 3),
                     **{key: round(value, 1) for key, value in ratio.items()}})  # fmt: skip
        sys.stdout.write(f"{rows[-1]}\n")
    append(rows, HERE / "explain.tsv")


if __name__ == "__main__":
    main()
