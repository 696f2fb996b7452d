"""Small genotypes for tests, written as PLINK files: two populations, families, LD and missing calls."""

from pathlib import Path

import numpy as np
import pandas as pd
from bed_reader import to_bed

from contigwas.runtime.atomic_files import write_tsv


def simulate(
    rng: np.random.Generator, samples: int, variants: int, fst: float = 0.0, missing: float = 0.0, blocks: int = 1
) -> np.ndarray:
    """Return int8 dosages (samples, variants): three quarters are one population; `blocks` variants are copies."""
    frequencies = rng.uniform(0.1, 0.9, -(-variants // blocks))
    parts = []
    for size in (samples - samples // 4, samples // 4):
        local = frequencies
        if fst:
            local = rng.beta(frequencies * (1 - fst) / fst, (1 - frequencies) * (1 - fst) / fst)
        parts.append(rng.binomial(2, np.repeat(local[None], size, axis=0)))
    dosages = np.repeat(np.vstack(parts), blocks, axis=1)[:, :variants].astype(np.int8)
    if blocks > 1:
        noise = rng.random(dosages.shape) < 0.05
        dosages[noise] = rng.integers(0, 3, noise.sum())
    dosages[rng.random(dosages.shape) < missing] = -127
    return dosages


def child(rng: np.random.Generator, mother: np.ndarray, father: np.ndarray) -> np.ndarray:
    """Return the dosages of a child of two samples."""
    return (rng.binomial(1, mother / 2) + rng.binomial(1, father / 2)).astype(np.int8)


def iids(samples: int) -> list[str]:
    """Return IIDs of seven digits."""
    return [str(1000001 + number) for number in range(samples)]


def write_plink(path: Path, dosages: np.ndarray, names: list[str], chrom: object = "1", **properties: list) -> Path:
    """Write path (.bed) with .bim and .fam; effect allele A, other allele G, 1000 base pairs apart."""
    samples, variants = dosages.shape
    chroms = [str(chrom)] * variants if not isinstance(chrom, list) else chrom
    values = dosages.astype(np.float32)
    values[dosages < 0] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    to_bed(
        path,
        values,
        properties={
            "fid": names,
            "iid": names,
            "sex": [1 + number % 2 for number in range(samples)],
            "chromosome": chroms,
            "sid": [f"rs{one}_{number}" for number, one in enumerate(chroms)],
            "bp_position": [1000 * (number + 1) for number in range(variants)],
            "allele_1": ["A"] * variants,
            "allele_2": ["G"] * variants,
            **properties,
        },
    )
    return path


def write_samples(folder: Path, names: list[str]) -> tuple[Path, Path]:
    """Write candidates.tsv and samples.parquet that keep all samples."""
    candidates, samples = folder / "candidates.tsv", folder / "samples.parquet"
    write_tsv(pd.DataFrame({"fid": names, "iid": names, "sex": 0, "genotypes": 1}), candidates)
    pd.DataFrame({"iid": names, "call_rate": 1.0, "heterozygosity": 0.3, "kept": True, "reason": ""}).to_parquet(
        samples
    )
    return candidates, samples
