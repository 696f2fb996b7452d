"""Genotypes, features and covariates for the GWAS benchmarks, in the formats of each program.

    python benchmarks/gwas_data.py FOLDER --samples 8000 --variants 40000 --missing 0.005 --features 128

Writes genotypes.bed/.bim/.fam (independent variants in Hardy-Weinberg proportions, allele frequencies 0.05 to 0.5,
calls missing at random), phenotypes.parquet and covariates.parquet (for contigwas), phenotypes.tsv and covariates.tsv
(for plink2).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from bed_reader import create_bed

BLOCK = 2**25  # genotypes drawn at a time


def write_genotypes(path: Path, samples: int, variants: int, missing: float, rng: np.random.Generator) -> None:
    """Write a random .bed of `variants` on chromosome 1 in blocks."""
    properties = {
        "fid": np.full(samples, "0"),
        "iid": np.array([f"P{one:06d}" for one in range(samples)]),
        "sex": np.arange(samples) % 2 + 1,
        "chromosome": np.full(variants, "1"),
        "sid": np.array([f"v{one}" for one in range(variants)]),
        "bp_position": 1000 + 100 * np.arange(variants),
        "allele_1": np.full(variants, "A"),
        "allele_2": np.full(variants, "G"),
    }
    size = max(1, BLOCK // samples)
    with create_bed(path, iid_count=samples, sid_count=variants, properties=properties) as bed:
        for start in range(0, variants, size):
            count = min(size, variants - start)
            frequency = rng.uniform(0.05, 0.5, (count, 1)).astype(np.float32)
            calls = (rng.random((count, samples), np.float32) < frequency).astype(np.int8)
            calls += rng.random((count, samples), np.float32) < frequency
            if missing:
                calls[rng.random((count, samples), np.float32) < missing] = -127
            for row in calls:
                bed.write(row)


def write_traits(folder: Path, samples: int, features: int, covariates: int, rng: np.random.Generator) -> None:
    """Write features that depend on the covariates, and the tables for both programs."""
    iid = [f"P{one:06d}" for one in range(samples)]
    design = rng.standard_normal((samples, covariates))
    traits = rng.standard_normal((samples, features)) + 0.3 * design @ rng.standard_normal((covariates, features))
    for name, values, prefix in (("phenotypes", traits, "f"), ("covariates", design, "c")):
        table = pd.DataFrame(values, columns=[f"{prefix}{one + 1}" for one in range(values.shape[1])])
        table.insert(0, "iid", iid)
        table.to_parquet(folder / f"{name}.parquet", index=False)
        table = table.rename(columns={"iid": "IID"})
        table.insert(0, "FID", "0")
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, float_format="%.9g")


def main() -> None:
    """Create one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--variants", type=int, default=40000)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--covariates", type=int, default=17)
    parser.add_argument("--missing", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(arguments.seed)
    write_traits(arguments.folder, arguments.samples, arguments.features, arguments.covariates, rng)
    write_genotypes(arguments.folder / "genotypes.bed", arguments.samples, arguments.variants, arguments.missing, rng)


if __name__ == "__main__":
    main()
