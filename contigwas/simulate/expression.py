"""Gene expression that programmes shape, and the genes' places: the tables of a cohort of tumours.

A programme is a process that changes many genes at once and, in `contigwas.simulate.tumours`, the picture as well.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.simulate.settings import LATENTS, PROGRAMMES, Lesions, Simulation
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)

STREAM = 101  # apart from the streams of the cohort and of the photographs
MEMBERS = 0.6  # share of the genes that belong to a programme, in equal parts
NOISE_ONLY = 0.2  # share of the genes that share nothing with any other; the rest have the background alone
BACKGROUND = 3  # processes that change many genes and nothing in the picture
PROGRAMME_SHARE = (0.10, 0.45)  # of a member's variance (of log expression) that its programme explains
BACKGROUND_SHARE = (0.05, 0.30)
LOG_SD = (0.3, 0.9)  # of a gene's expression over samples, natural log
MEAN_LOG, SD_OF_MEANS = 2.2, 1.3  # of log TPM over genes
READS = 5.0  # counted for each TPM, in the median sample
GENE_LENGTH = (2_000, 40_000)  # base pairs


@dataclass(frozen=True)
class Loadings:
    """What moves the log expression of each gene, all of length (genes,) or (genes, BACKGROUND).

    programme: index, -1 for none; own: its loading on that programme; background: loadings; noise: SD of what is its
    own. Squares add up to 1. mean and sd are of the natural log of TPM.
    """

    programme: np.ndarray
    own: np.ndarray
    background: np.ndarray
    noise: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def simulate_expression(latents: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/programmes.tsv, expression.tsv and genes.tsv from the table of latents (docs/files.md).

    `settings` is the config block `simulate` with its block `lesions`. programmes.tsv has everyone; a share `missing_rate`
    has no expression, in an order of its own. The same settings and seed give the same bytes.
    """
    folder, plan = Path(folder), Lesions.of(settings)
    samples = read_table(latents, ("iid", *LATENTS), "simulate.folder")

    def stream(purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, purpose])

    programmes = make_programmes(samples[list(LATENTS)].to_numpy(np.float64), plan.driven, stream(0))
    truth = pd.DataFrame(programmes, columns=list(PROGRAMMES)).round(6)
    truth.insert(0, "iid", samples["iid"])
    loadings = draw_loadings(plan.genes, stream(1))
    tpm = express(programmes, loadings, stream(2))
    names = [f"GX{number:05d}" for number in range(1, plan.genes + 1)]
    simulation = Simulation.of(settings)
    places = _places(names, simulation.chromosomes, simulation.length, stream(3))
    kept = stream(4).permutation(len(samples))[round(plan.missing_rate * len(samples)) :]
    table = pd.DataFrame(tpm[kept].round(3), columns=names)
    table.insert(0, "iid", samples["iid"].to_numpy()[kept])
    write_tsv(places, folder / "genes.tsv")
    write_tsv(table, folder / "expression.tsv")
    write_tsv(truth, folder / "programmes.tsv")
    log.info(
        "expression of %d genes in %d of %d samples: %d genes follow one of %d programmes, %d nothing at all",
        plan.genes, len(kept), len(samples), int((loadings.programme >= 0).sum()), len(PROGRAMMES),
        int((loadings.noise == 1).sum()),
    )  # fmt: skip


def make_programmes(latents: np.ndarray, driven: float, rng: np.random.Generator) -> np.ndarray:
    """Programmes (samples, 6), unit variance: sqrt(driven) x the latent of the same place + sqrt(1 - driven) x noise.

    `latents` (samples, 6) are in SD. A SNP that explains a share q² of a latent explains driven x q² of its programme.
    """
    return np.sqrt(driven) * latents + np.sqrt(1 - driven) * rng.standard_normal(latents.shape)


def draw_loadings(genes: int, rng: np.random.Generator) -> Loadings:
    """Which gene belongs to which programme, up or down, and how strongly; in random order."""
    each = int(MEMBERS * genes) // len(PROGRAMMES)
    programme = np.full(genes, -1)
    programme[: each * len(PROGRAMMES)] = np.repeat(np.arange(len(PROGRAMMES)), each)
    alone = np.zeros(genes, dtype=bool)
    alone[genes - int(NOISE_ONLY * genes) :] = True
    own = np.where(programme >= 0, rng.uniform(*PROGRAMME_SHARE, genes), 0)
    shared = np.where(alone, 0, rng.uniform(*BACKGROUND_SHARE, genes))
    direction = rng.standard_normal((genes, BACKGROUND))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    order = rng.permutation(genes)
    return Loadings(
        programme=programme[order],
        own=(np.sqrt(own) * rng.choice([-1.0, 1.0], genes))[order],
        background=(np.sqrt(shared)[:, None] * direction)[order],
        noise=np.sqrt(1 - own - shared)[order],
        mean=MEAN_LOG + SD_OF_MEANS * rng.standard_normal(genes),
        sd=rng.uniform(*LOG_SD, genes),
    )


def express(programmes: np.ndarray, loadings: Loadings, rng: np.random.Generator) -> np.ndarray:
    """TPM (samples, genes): a log-normal level, counted as Poisson reads.

    log level = mean + sd (own x programme + background x backgrounds + noise); reads ~ Poisson(level x depth), depth
    about 5 per TPM and log-normal over samples (SD 0.2); TPM = reads / depth. So weakly expressed genes are noisier on
    the log scale and hold zeros. The genes are a panel: their TPM do not add up to a million.
    """
    samples, genes = len(programmes), len(loadings.mean)
    backgrounds = rng.standard_normal((samples, BACKGROUND))
    # an own column of zeros stands for the genes of no programme (index -1)
    driving = np.column_stack([programmes, np.zeros(samples)])[:, loadings.programme]
    score = loadings.own * driving + backgrounds @ loadings.background.T
    score += loadings.noise * rng.standard_normal((samples, genes))
    depth = READS * np.exp(0.2 * rng.standard_normal((samples, 1)))
    return rng.poisson(np.exp(loadings.mean + loadings.sd * score) * depth) / depth


def _places(names: list[str], chromosomes: int, length: int, rng: np.random.Generator) -> pd.DataFrame:
    """chrom start end name (base pairs, from 1), by position; a gene's name says nothing about its place."""
    chrom = rng.integers(1, chromosomes + 1, len(names))
    longest = min(GENE_LENGTH[1], length // 2)
    size = rng.integers(min(GENE_LENGTH[0], longest - 1), longest, len(names))
    start = 1 + (rng.random(len(names)) * (length - size)).astype(np.int64)
    table = pd.DataFrame({"chrom": chrom, "start": start, "end": start + size - 1, "name": names})
    return table.sort_values(["chrom", "start", "name"], ignore_index=True)
