"""Simulate gene expression from programmes, and gene positions, for a cohort with tumours.

A programme is a process that changes many genes, and also the image (see `contigwas.simulate.tumours`).
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

STREAM = 101  # keeps the random numbers apart from those of the cohort and the photographs
MEMBERS = 0.6  # share of genes that belong to a programme, in equal parts
NOISE_ONLY = 0.2  # share of genes that are independent of all others; the remaining genes have only the background
BACKGROUND = 3  # number of processes that change many genes, but not the image
PROGRAMME_SHARE = (0.10, 0.45)  # share of the variance of log expression explained by the programme
BACKGROUND_SHARE = (0.05, 0.30)
LOG_SD = (0.3, 0.9)  # of a gene's expression over samples, natural log
MEAN_LOG, SD_OF_MEANS = 2.2, 1.3  # of log TPM over genes
READS = 5.0  # reads per TPM in the median sample
GENE_LENGTH = (2_000, 40_000)  # base pairs


@dataclass(frozen=True)
class Loadings:
    """Model of the log expression of each gene, (genes,) or (genes, BACKGROUND). Squared loadings sum to 1.

    Attributes:
        programme: index of the programme, -1 for none.
        own: loading on that programme.
        background: loadings on the background processes.
        noise: SD of the independent part.
        mean, sd: mean and SD of the natural log of TPM.
    """

    programme: np.ndarray
    own: np.ndarray
    background: np.ndarray
    noise: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def simulate_expression(latents: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/programmes.tsv, expression.tsv and genes.tsv from the table of latent traits.

    `settings` is the config block `simulate` with its block `lesions`. programmes.tsv has all samples. expression.tsv
    is in random order, without a share `missing_rate` of the samples. The same settings and seed give identical files.
    """
    folder, plan = Path(folder), Lesions.of(settings)
    samples = read_table(latents, ("iid", *LATENTS), "simulate.folder")

    def stream(purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, purpose])

    programmes = make_programmes(samples[list(LATENTS)].to_numpy(np.float64), plan.driven, stream(0))
    programme_table = pd.DataFrame(programmes, columns=list(PROGRAMMES)).round(6)
    programme_table.insert(0, "iid", samples["iid"])
    loadings = draw_loadings(plan.genes, stream(1))
    tpm = express(programmes, loadings, stream(2))
    names = [f"GX{number:05d}" for number in range(1, plan.genes + 1)]
    simulation = Simulation.of(settings)
    gene_positions = _gene_positions(names, simulation.chromosomes, simulation.length, stream(3))
    kept = stream(4).permutation(len(samples))[round(plan.missing_rate * len(samples)) :]
    table = pd.DataFrame(tpm[kept].round(3), columns=names)
    table.insert(0, "iid", samples["iid"].to_numpy()[kept])
    write_tsv(gene_positions, folder / "genes.tsv")
    write_tsv(table, folder / "expression.tsv")
    write_tsv(programme_table, folder / "programmes.tsv")
    log.info(
        "expression of %d genes in %d of %d samples: %d genes depend on one of %d programmes, %d are independent noise",
        plan.genes, len(kept), len(samples), int((loadings.programme >= 0).sum()), len(PROGRAMMES),
        int((loadings.noise == 1).sum()),
    )  # fmt: skip


def make_programmes(latents: np.ndarray, driven: float, rng: np.random.Generator) -> np.ndarray:
    """Simulate programmes of unit variance, sqrt(driven) x latent + sqrt(1 - driven) x noise: (samples, 6).

    `latents` (samples, 6) are in SD. A SNP that explains a share q² of a latent explains driven x q² of its programme.
    """
    return np.sqrt(driven) * latents + np.sqrt(1 - driven) * rng.standard_normal(latents.shape)


def draw_loadings(genes: int, rng: np.random.Generator) -> Loadings:
    """Draw the programme, direction and loadings of each gene, in random order."""
    genes_per_programme = int(MEMBERS * genes) // len(PROGRAMMES)
    programme = np.full(genes, -1)
    programme[: genes_per_programme * len(PROGRAMMES)] = np.repeat(np.arange(len(PROGRAMMES)), genes_per_programme)
    is_noise_only = np.zeros(genes, dtype=bool)
    is_noise_only[genes - int(NOISE_ONLY * genes) :] = True
    own = np.where(programme >= 0, rng.uniform(*PROGRAMME_SHARE, genes), 0)
    shared = np.where(is_noise_only, 0, rng.uniform(*BACKGROUND_SHARE, genes))
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
    """Simulate TPM (samples, genes): Poisson reads of a log-normal level.

    log level = mean + sd (own x programme + background x backgrounds + noise). Reads ~ Poisson(level x depth), where
    depth is about 5 per TPM and log-normal over samples (SD 0.2). TPM = reads / depth. Genes with low expression are
    therefore noisier on the log scale and have zeros. The genes are a panel, so their TPM do not sum to a million.
    """
    samples, genes = len(programmes), len(loadings.mean)
    backgrounds = rng.standard_normal((samples, BACKGROUND))
    # index -1, for genes without a programme, selects the last column of zeros
    driving = np.column_stack([programmes, np.zeros(samples)])[:, loadings.programme]
    score = loadings.own * driving + backgrounds @ loadings.background.T
    score += loadings.noise * rng.standard_normal((samples, genes))
    depth = READS * np.exp(0.2 * rng.standard_normal((samples, 1)))
    return rng.poisson(np.exp(loadings.mean + loadings.sd * score) * depth) / depth


def _gene_positions(names: list[str], chromosomes: int, length: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw gene positions, chrom start end name (1-based base pairs), sorted; names do not depend on positions."""
    chrom = rng.integers(1, chromosomes + 1, len(names))
    max_length = min(GENE_LENGTH[1], length // 2)
    size = rng.integers(min(GENE_LENGTH[0], max_length - 1), max_length, len(names))
    start = 1 + (rng.random(len(names)) * (length - size)).astype(np.int64)
    table = pd.DataFrame({"chrom": chrom, "start": start, "end": start + size - 1, "name": names})
    return table.sort_values(["chrom", "start", "name"], ignore_index=True)
