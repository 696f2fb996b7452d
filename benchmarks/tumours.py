"""What expression and images of a simulated cohort of tumours predict without a network: bounds for the MGI example.

    python benchmarks/tumours.py

Simulates 3,000 samples with the defaults of simulate.lesions and writes benchmarks/tumours.tsv: how well ridge
regression on log(1 + TPM) predicts programmes, size and polarity, and the mean Dice of thresholds and of oracles that
know every border, among the last 1,000 samples. Draws the first of these into docs/figures/simulated_tumours.png.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import binary_erosion, gaussian_filter
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.config.models import read_schema
from contigwas.simulate.brain import HEAD
from contigwas.simulate.expression import draw_loadings, express, make_programmes
from contigwas.simulate.settings import PROGRAMMES, Lesions
from contigwas.simulate.tumours import render

ROOT = Path(__file__).resolve().parents[1]
SAMPLES, TESTED, BATCH = 3_000, 1_000, 128
SHOWN, ACROSS, ZOOM = 12, 6, 3  # heads of the figure, in a row, pixels for one
ANGIOGENESIS = PROGRAMMES.index("angiogenesis")


def main() -> None:
    """Simulate images, measure Dice and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    plan = defaults()
    rng = np.random.default_rng([seed, 0])
    programmes = make_programmes(rng.standard_normal((SAMPLES, len(PROGRAMMES))), plan.driven, rng)
    logs = np.log1p(express(programmes, draw_loadings(plan.genes, rng), rng))
    parts = [
        render(programmes[at : at + BATCH], plan, np.random.default_rng([seed, 1, at]))
        for at in range(0, SAMPLES, BATCH)
    ]
    pictures, masks, lookalikes = (np.concatenate(part) for part in zip(*parts, strict=True))
    draw(pictures[:SHOWN], masks[:SHOWN], lookalikes[:SHOWN])
    rows = [
        *predicted(logs, programmes, masks, lookalikes),
        *thresholds(pictures, masks, programmes),
        *blind(masks, lookalikes),
    ]
    table = pd.DataFrame(rows, columns=["measure", "of", "learned_from", "value"])
    table.to_csv(ROOT / "benchmarks/tumours.tsv", sep="\t", index=False, float_format="%.3f")
    sys.stdout.write(table.to_string(index=False) + "\n")


def defaults() -> Lesions:
    """The defaults of the schema."""
    block = read_schema()["properties"]["simulate"]["properties"]
    simulate = {key: one.get("default") for key, one in block.items()}
    lesions = {key: one["default"] for key, one in block["lesions"]["properties"].items()}
    return Lesions.of({**simulate, "lesions": lesions})


def predicted(logs: np.ndarray, programmes: np.ndarray, masks: np.ndarray, lookalikes: np.ndarray) -> list[tuple]:
    """Fit a ridge regression on log expression with different numbers of training samples."""
    area = np.log(flat(masks).sum(axis=1))
    bright = programmes[:, ANGIOGENESIS] > 0
    alone = ~flat(lookalikes).any(axis=1)
    rows = []
    for many in (100, 1_000, SAMPLES - TESTED):
        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 16)))
        found = ridge.fit(logs[:many], programmes[:many]).predict(logs[-TESTED:])
        r2 = [np.corrcoef(*pair)[0, 1] ** 2 for pair in zip(found.T, programmes[-TESTED:].T, strict=True)]
        rows += [("R2 by expression", name, many, value) for name, value in zip(PROGRAMMES, r2, strict=True)]
        size = ridge.fit(logs[:many], area[:many]).predict(logs[-TESTED:])
        rows.append(("R2 by expression", "log area", many, np.corrcoef(size, area[-TESTED:])[0, 1] ** 2))
        right = (found[:, ANGIOGENESIS] > 0) == bright[-TESTED:]
        rows.append(("accuracy by expression", "polarity", many, right.mean()))
        chosen = (right | alone[-TESTED:]).mean()
        rows.append(("Dice, every border known", "the one of the polarity that expression says", many, chosen))
    return rows


def blind(masks: np.ndarray, lookalikes: np.ndarray) -> list[tuple]:
    """Return the best Dice without expression if all borders are given: both regions are marked, or one at random."""
    tumour, other = flat(masks[-TESTED:]).sum(axis=1), flat(lookalikes[-TESTED:]).sum(axis=1)
    both, one = 2 * tumour / (2 * tumour + other), np.where(other > 0, 0.5, 1.0)
    kind = "Dice, every border known"
    return [(kind, "tumour and lookalike", 0, both.mean()), (kind, "one of them at random", 0, one.mean())]


def thresholds(pictures: np.ndarray, masks: np.ndarray, programmes: np.ndarray) -> list[tuple]:
    """Return Dice of the best threshold on blurred brightness relative to the median, chosen on the same samples."""
    line = (np.arange(pictures.shape[1]) + 0.5) * 2 / pictures.shape[1] - 1
    brain = np.hypot(line[:, None] / HEAD[0], line / HEAD[1]) < 0.7
    grey = gaussian_filter(pictures[-TESTED:].astype(np.float64), (0, 1, 1))
    median = np.median(pictures[-TESTED:][:, brain], axis=1)[:, None, None]
    stands_out = (grey / median - 1) * brain
    sign = np.sign(programmes[-TESTED:, ANGIOGENESIS])[:, None, None]
    rows = []
    for name, values in (("brighter or darker", np.abs(stands_out)), ("of the true polarity", sign * stands_out)):
        best = max(dice(values > bound, masks[-TESTED:]).mean() for bound in np.arange(0.04, 0.4, 0.02))
        rows.append(("Dice of a threshold", name, 0, best))
    return rows


def draw(pictures: np.ndarray, masks: np.ndarray, lookalikes: np.ndarray) -> None:
    """Draw heads, and below each row the same heads with tumours outlined in red and distractors in blue."""
    rows = []
    for first in range(0, SHOWN, ACROSS):
        here = slice(first, first + ACROSS)
        plain = np.concatenate([upright(one) for one in pictures[here]], axis=1)
        plain = np.repeat(plain[..., None], 3, axis=2)
        marked = plain.copy()
        for labels, colour in ((masks, (255, 80, 60)), (lookalikes, (90, 150, 255))):
            inside = np.concatenate([upright(one) for one in labels[here]], axis=1).astype(bool)
            marked[inside & ~binary_erosion(inside)] = colour
        rows += [plain, marked]
    Image.fromarray(np.concatenate(rows)).save(ROOT / "docs/figures/simulated_tumours.png", optimize=True)


def upright(values: np.ndarray) -> np.ndarray:
    """Return an enlarged slice (x, y) as rows and columns, with the front at the top."""
    return np.kron(values.T[::-1], np.ones((ZOOM, ZOOM), values.dtype))


def dice(found: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return Dice of each image."""
    found, masks = flat(found).astype(float), flat(masks).astype(float)
    return 2 * (found * masks).sum(axis=1) / (found.sum(axis=1) + masks.sum(axis=1))


def flat(values: np.ndarray) -> np.ndarray:
    """Return one row per image."""
    return values.reshape(len(values), -1)


if __name__ == "__main__":
    main()
