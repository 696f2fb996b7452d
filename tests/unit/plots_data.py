"""Small GWAS files, loci and histograms for the tests of the figures."""

from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.loci import COLUMNS
from contigwas.runtime.atomic_files import write_tsv

P1 = 5e-8
EDGES = np.concatenate([np.arange(0, 2, 0.001), np.geomspace(2, 400, 2000), [np.inf]])  # of -log10 p, the last is open
SETTINGS = {"test": "manova", "p1": P1}


def write_gwas(folder: Path, chromosomes: int, variants: int, hits: int = 0, top: float = 40.0, seed: int = 1) -> dict:
    """Write GWAS files of uniform p-values, with `hits` variants of each chromosome between p1 and `top`."""
    rng = np.random.default_rng(seed)
    paths = {}
    for number in range(1, chromosomes + 1):
        y = rng.exponential(1 / np.log(10), variants).clip(max=7)
        y[rng.choice(variants, hits, replace=False)] = rng.uniform(-np.log10(P1), top, hits)
        table = pd.DataFrame({"pos": np.sort(rng.choice(5_000_000, variants, replace=False)).astype(np.int32)})
        table["id"] = [f"rs{number}_{row}" for row in range(variants)]
        table["effect_allele"], table["other_allele"] = "A", "G"
        for name in ("E1", "E2"):
            table[f"beta_{name}"] = np.float32(0.1)
            table[f"log10p_{name}"] = (y * (0.9 if name == "E1" else 0.1)).astype(np.float32)
        table["log10p_manova"] = y.astype(np.float32)
        paths[str(number)] = folder / f"chr{number}.parquet"
        table.to_parquet(paths[str(number)], index=False)
    return paths


def write_loci(folder: Path, gwas: dict, count: int, genes: str = "") -> Path:
    """Write loci.tsv with the `count` strongest variants as lead variants."""
    parts = [pd.read_parquet(path).assign(chrom=chrom) for chrom, path in gwas.items()]
    table = pd.concat(parts).nlargest(count, "log10p_manova").rename(columns={"id": "lead_id"})
    table = table.assign(log10p=table["log10p_manova"], genes=genes, n=100, n_variants=1, eaf=0.3)
    loci = table.reindex(columns=COLUMNS).sort_values(["chrom", "pos"])
    loci["locus"] = np.arange(1, len(loci) + 1)
    write_tsv(loci, folder / "loci.tsv")
    return folder / "loci.tsv"


def write_summary(path: Path, values: dict[str, np.ndarray]) -> Path:
    """Return histograms of -log10 p, fine below 2 and wider above, with an open last bin."""
    counts = {name: np.histogram(one, EDGES)[0] for name, one in values.items()}
    parts = [
        pd.DataFrame({"test": name, "bin_low": EDGES[:-1], "bin_high": EDGES[1:], "count": count})
        for name, count in counts.items()
    ]
    pd.concat(parts).to_parquet(path, index=False)
    return path
