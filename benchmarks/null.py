"""Calibration of the GWAS under the null: features permuted against real genotypes with real LD.

    python benchmarks/null.py --genotypes DATA/genotypes/EUR_subset.bed --features 1000

Each feature is a random permutation over the samples of normal scores, or of a skewed trait (log-normal, not
transformed). Covariates are the first four principal components of the genotypes. Appends to benchmarks/null.tsv, for
each kind of feature: mean lambda with two standard errors; the fraction of p below 1e-4 with its 95 % bootstrap
interval over features (LD makes a binomial interval too narrow); and lambda of manova and acat over groups of ten
features. minp is not included: it is Bonferroni's bound, capped at 1, and its median is not informative.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contigwas.genotypes.reader import open_genotypes  # noqa: E402
from contigwas.gwas.gwas import write_gwas  # noqa: E402
from contigwas.gwas.summary import read_lambda  # noqa: E402
from contigwas.loci.gwas_file import read_columns  # noqa: E402
from contigwas.runtime.atomic_files import write_tsv  # noqa: E402
from contigwas.tables.text import read_table  # noqa: E402

LIMIT = 1e-4


def components(path: Path, chromosomes: list[str], count: int) -> np.ndarray:
    """Return the principal components of every 20th variant, (samples, count)."""
    parts = []
    for chrom in chromosomes:
        genotypes = open_genotypes(path, chrom)
        calls = genotypes.read(np.arange(0, len(genotypes.variants), 20)).astype(float)
        parts.append((calls - calls.mean(0)) / np.maximum(calls.std(0), 0.05))
    left, _, _ = np.linalg.svd(np.hstack(parts), full_matrices=False)
    return left[:, :count]


def traits(kind: str, samples: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return features without any association, (samples, count): permutations of one column."""
    sample = rng.standard_normal(samples)
    sample = np.exp(sample) if kind == "skewed" else sample
    return np.column_stack([rng.permutation(sample) for _ in range(count)])


def study(path: Path, chromosomes: list[str], tables: dict[str, pd.DataFrame], folder: Path, maf: float) -> dict:
    """Return lambda of every test, and the number and share of small p-values of every feature."""
    files = {}
    for name, table in tables.items():
        files[name] = folder / f"{name}.parquet"
        table.to_parquet(files[name])
    settings = {"missing": "exact", "tests": ["minp", "manova", "acat"], "min_ac": 20, "qc": {"maf": maf}}
    summaries, below, tests = [], 0, 0
    for chrom in chromosomes:
        output = folder / f"chr{chrom}.parquet"
        summaries.append(folder / f"chr{chrom}.summary.parquet")
        write_gwas(
            path, chrom, None, files["phenotypes"], files["covariates"], settings, output, summaries[-1], threads=2
        )
        columns = [f"log10p_{name}" for name in tables["phenotypes"].columns if name != "iid"]
        values = read_columns(output, columns).to_numpy()
        below = below + (values > -np.log10(LIMIT)).sum(axis=0)
        tests += (~np.isnan(values[:, 0])).sum()
    return {"lambdas": read_lambda(summaries).set_index("test")["lambda"], "below": below, "tests": tests}


def main() -> None:
    """Run both kinds of features and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genotypes", type=Path, required=True)
    parser.add_argument("--chromosomes", nargs="+", default=["17", "18", "19", "20", "21", "22"])
    parser.add_argument("--features", type=int, default=1000, help="normal ones")
    parser.add_argument("--skewed", type=int, default=200)
    parser.add_argument("--maf", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/null.tsv")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    iids = open_genotypes(arguments.genotypes, arguments.chromosomes[0]).samples["iid"]
    covariates = pd.DataFrame(
        components(arguments.genotypes, arguments.chromosomes, 4), columns=["PC1", "PC2", "PC3", "PC4"]
    )
    covariates.insert(0, "iid", iids)
    rows = []
    for kind, features in (("normal", arguments.features), ("skewed", arguments.skewed)):
        found = {"lambda": [], "below": [], "manova": [], "acat": []}
        for start in range(0, features, 10):
            values = traits(kind, len(iids), min(10, features - start), rng)
            table = pd.DataFrame(values, columns=[f"f{start + k}" for k in range(values.shape[1])])
            table.insert(0, "iid", iids)
            with tempfile.TemporaryDirectory() as folder:
                tables = {"phenotypes": table, "covariates": covariates}
                one = study(arguments.genotypes, arguments.chromosomes, tables, Path(folder), arguments.maf)
            found["lambda"] += one["lambdas"][table.columns[1:]].tolist()
            found["below"] += one["below"].tolist()
            for test in ("manova", "acat"):
                found[test].append(one["lambdas"][test])
        share = np.array(found["below"]) / one["tests"]
        resampled = [rng.choice(share, len(share)).mean() for _ in range(5000)]
        low, high = np.quantile(resampled, [0.025, 0.975])
        row = {
            "features": kind,
            "seed": arguments.seed,
            "count": len(share),
            "n_samples": len(iids),
            "variants": one["tests"],
        }
        for test in ("lambda", "manova", "acat"):
            values = np.array(found[test])
            row[test] = round(values.mean(), 4)
            row[f"{test}_2se"] = round(2 * values.std(ddof=1) / np.sqrt(len(values)), 4)
        row |= {"share_1e-4": f"{share.mean():.3e}", "share_low": f"{low:.3e}", "share_high": f"{high:.3e}"}
        sys.stdout.write(f"{row}\n")
        rows.append(row)
    old = [read_table(arguments.table)] if arguments.table.exists() else []
    write_tsv(pd.concat([*old, pd.DataFrame(rows)], ignore_index=True), arguments.table)


if __name__ == "__main__":
    main()
