"""The Manhattan plot of ten million variants: time and peak memory of the whole process, PNG and PDF.

    python benchmarks/manhattan.py --variants 10000000

Writes 22 GWAS files as the pipeline does (contigwas.gwas.output), with uniform p-values and some hits, and loci.tsv, to
a temporary folder. Then plots them in a new process, which is measured; its peak resident memory includes Python and
its libraries. Appends to benchmarks/manhattan.tsv: date, machine, variants, hits, hits drawn (all must be), seconds
from start to end of the process, peak memory in MB, file sizes.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contigwas.gwas.output import gwas_table  # noqa: E402
from contigwas.loci import COLUMNS  # noqa: E402
from contigwas.runtime.atomic_files import write_tsv  # noqa: E402
from contigwas.tables.text import read_table  # noqa: E402

LENGTHS = [249, 243, 198, 191, 181, 171, 159, 146, 141, 136, 135, 134, 115, 107, 103, 90, 81, 78, 59, 63, 48, 51]  # Mb
BLOCK, P1 = 2**14, 5e-8
DRAW = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from contigwas.plots.manhattan import manhattan
folder = Path(sys.argv[2])
gwas = {str(chrom): folder / f"chr{chrom}.parquet" for chrom in range(1, 23)}
outputs = [folder / "manhattan.png", folder / "manhattan.pdf"]
figure = manhattan(gwas, folder / "loci.tsv", {"test": "manova", "p1": float(sys.argv[3])}, outputs, "benchmark")
heights = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if line.get_gid() == "variants"])
print(int((heights.astype(np.float32) >= np.float32(-np.log10(float(sys.argv[3])))).sum()))
"""


def write_chromosome(path: Path, chrom: int, variants: int, rng: np.random.Generator) -> tuple[int, pd.DataFrame]:
    """Write a GWAS file; return its number of hits and the strongest variant."""
    pos = np.sort(rng.integers(1, LENGTHS[chrom - 1] * 1_000_000, variants)).astype(np.int32)
    hits, best = 0, pd.DataFrame()
    options = {"features": ["E1"], "partial": [], "tests": ["manova"]}
    with gwas_table(path, {}, **options) as table:
        for start in range(0, variants, BLOCK):
            here = pos[start : start + BLOCK]
            size = len(here)
            y = rng.exponential(1 / np.log(10), size)
            chosen = rng.choice(size, max(size // 5000, 1), replace=False)
            y[chosen] = rng.uniform(7.5, 300, len(chosen))
            block = {
                "chrom": np.full(size, str(chrom), dtype=object),
                "pos": here,
                "id": np.array([f"rs{chrom}{number}" for number in range(start, start + size)], dtype=object),
                "effect_allele": np.full(size, "A", dtype=object),
                "other_allele": np.full(size, "G", dtype=object),
                "eaf": np.full(size, 0.3, np.float32),
                "n": np.full(size, 1000, np.int32),
                "flag": np.full(size, "", dtype=object),
            }
            values = y.astype(np.float32)
            numbers = np.stack([np.zeros_like(values), np.ones_like(values), values])[:, None]
            table.append(block, numbers, np.empty((0, size), np.int32), values[None])
            hits += int((values >= np.float32(-np.log10(P1))).sum())
            row = int(values.argmax())
            lead = {"chrom": chrom, "pos": here[row], "lead_id": block["id"][row], "log10p": values[row]}
            best = pd.concat([best, pd.DataFrame([lead])]).nlargest(1, "log10p")
    return hits, best.assign(effect_allele="A", other_allele="G", genes="")


def measured(folder: Path) -> dict[str, float]:
    """Draw in a new process; return seconds, peak memory, drawn hits and file sizes."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", DRAW, str(ROOT), str(folder), str(P1)], stdout=subprocess.PIPE)
    printed = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit("the drawing failed")
    return {
        "hits_drawn": int(printed),
        "seconds": round(seconds, 1),
        "peak_mb": round(used.ru_maxrss / 1024),  # Linux counts in KiB
        "png_mb": round((folder / "manhattan.png").stat().st_size / 1e6, 2),
        "pdf_mb": round((folder / "manhattan.pdf").stat().st_size / 1e6, 2),
    }


def main() -> None:
    """Write the files, draw the plots and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/manhattan.tsv")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="manhattan") as name:
        folder = Path(name)
        written = [
            write_chromosome(
                folder / f"chr{chrom}.parquet", chrom, int(arguments.variants * length / sum(LENGTHS)), rng
            )
            for chrom, length in enumerate(LENGTHS, 1)
        ]
        loci = pd.concat([best for _, best in written], ignore_index=True)
        write_tsv(loci.assign(locus=np.arange(1, len(loci) + 1)).reindex(columns=COLUMNS), folder / "loci.tsv")
        rows = [read_table(arguments.table)] if arguments.table.exists() else []
        for _ in range(arguments.repeats):
            row = {"date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(), "machine": arguments.machine}
            row |= {"variants": arguments.variants, "hits": sum(hits for hits, _ in written), **measured(folder)}
            rows.append(pd.DataFrame([row]))
            sys.stdout.write(f"{row}\n")
        write_tsv(pd.concat(rows, ignore_index=True), arguments.table)


if __name__ == "__main__":
    main()
