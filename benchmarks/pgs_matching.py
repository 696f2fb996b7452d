"""Scoring files of a million rows, read and matched: rows per second.

    python benchmarks/pgs_matching.py                       # 1,000,000 rows, 1,000,000 variants
    python benchmarks/pgs_matching.py --rows 20000 --variants 20000      # a small trial

The file has the format of the PGS Catalog, with rsIDs and positions, plain and gzipped. One tenth of its rows each are
swapped, on the other strand, at a position that is missing from the genotypes but with their rsID, or missing from the
genotypes. One process sorts the variants once (timed separately), then reads and matches the files, and 481 files of
2,000 rows. Appends to benchmarks/pgs_matching.tsv: medians of seconds and rows per second.
"""

import argparse
import datetime
import gzip
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from measure import ROOT, append

from contigwas.pgs.matching import Targets, match
from contigwas.pgs.scoring_file import read_scoring_file

STRAND = str.maketrans("ACGT", "TGCA")


def genotyped(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return variants on 22 chromosomes, in file order."""
    pairs = np.array([("A", "G"), ("C", "T"), ("A", "C"), ("G", "T")])[rng.integers(0, 4, count)]
    chrom = np.sort(rng.integers(1, 23, count)).astype(str)
    table = pd.DataFrame({"chrom": chrom, "pos": 0, "id": [f"rs{number}" for number in range(count)]})
    table["pos"] = 1000 + 100 * table.groupby("chrom").cumcount()
    return table.assign(effect_allele=pairs[:, 0], other_allele=pairs[:, 1], kept=True)


def published(variants: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of a scoring file."""
    chosen = variants.iloc[np.sort(rng.choice(len(variants), min(rows, len(variants)), replace=False))]
    kind = rng.integers(0, 10, len(chosen))
    effect, other = chosen["effect_allele"].to_numpy(), chosen["other_allele"].to_numpy()
    effect, other = np.where(kind == 1, other, effect), np.where(kind == 1, effect, other)
    turned = [np.array([one.translate(STRAND) for one in alleles]) for alleles in (effect, other)]
    return pd.DataFrame(
        {
            "rsID": np.where(kind == 4, "", chosen["id"]),
            "chr_name": chosen["chrom"].to_numpy(),
            "chr_position": chosen["pos"].to_numpy() + np.where((kind == 3) | (kind == 4), 50, 0),
            "effect_allele": np.where(kind == 2, turned[0], effect),
            "other_allele": np.where(kind == 2, turned[1], other),
            "effect_weight": rng.standard_normal(len(chosen)).round(8),
        }
    )


def write(path: Path, table: pd.DataFrame) -> Path:
    """Write a scoring file, gzipped if its name ends in .gz."""
    text = f"#pgs_id={path.stem}\n#genome_build=GRCh37\n" + table.to_csv(sep="\t", index=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 6) if path.suffix == ".gz" else text.encode())
    return path


def seconds(paths: Sequence[Path], targets: Targets) -> tuple[float, int]:
    """Return the seconds to read and match files, and their number of rows."""
    start, rows = time.perf_counter(), 0
    for path in paths:
        file = read_scoring_file(path, "GRCh37")
        found = match(file.rows, targets)
        rows += len(file.rows)
        if not 0.7 < found.used.mean() < 0.95:
            raise SystemExit(f"{path}: {found.counts()}")
    return time.perf_counter() - start, rows


def main() -> None:
    """Create the files, read and match them, and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks/pgs_matching"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--variants", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=481)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/pgs_matching.tsv")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    variants = genotyped(arguments.variants, rng)
    large = published(variants, arguments.rows, rng)
    plain, zipped = (write(arguments.folder / name, large) for name in ("large.txt", "large.txt.gz"))
    small = [published(variants, 2000, rng) for _ in range(arguments.files)]
    files = [write(arguments.folder / "small" / f"S{number}.txt.gz", one) for number, one in enumerate(small)]
    start = time.perf_counter()
    targets = Targets(variants)
    targets.variants_with_id([])
    ordering = time.perf_counter() - start
    rows = [{"what": "variants put in order", "rows": len(variants), "seconds": round(ordering, 2), "runs": 1}]
    for what, paths in (
        ("one file", [plain]),
        ("one file, gzipped", [zipped]),
        (f"{len(files)} files, gzipped", files),
    ):
        runs = [seconds(paths, targets) for _ in range(arguments.runs)]
        middle, count = median(run[0] for run in runs), runs[0][1]
        speed = {"rows_per_second": round(count / middle, -3)}
        rows.append({"what": what, "rows": count, "seconds": round(middle, 2), "runs": len(runs), **speed})
    today = datetime.date.today().isoformat()
    for found in rows:
        sys.stdout.write(f"{found}\n")
    append([{"date": today, **found} for found in rows], arguments.table)


if __name__ == "__main__":
    main()
