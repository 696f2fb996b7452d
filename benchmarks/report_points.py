"""The points of the report's Manhattan plot, from ten million variants: time and peak memory of the whole process.

    python benchmarks/report_points.py --variants 10000000

Writes GWAS files as benchmarks/manhattan.py does, then thins two tests (manova and the feature E1) in a new process,
which is measured. Appends to benchmarks/report_points.tsv: date, machine, variants, hits of manova, hits kept (all must
be), other points of manova, seconds from start to end of the process, peak memory in MB, MB of the file and of its
points on the page.
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
from manhattan import LENGTHS, P1, ROOT, write_chromosome

TABLE = ROOT / "benchmarks/report_points.tsv"
THIN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from contigwas.plots.interactive_points import write_points
folder = Path(sys.argv[2])
gwas = {str(chrom): folder / f"chr{chrom}.parquet" for chrom in range(1, 23)}
settings = {"test": "manova", "p1": float(sys.argv[3]), "features": 1}
write_points(gwas, [folder / "summary.parquet"], settings, folder / "points.parquet")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--variants", type=int, default=10_000_000)
    count = parser.parse_args().variants
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder, hits = Path(name), 0
        for chrom, length in enumerate(LENGTHS, 1):
            here = round(count * length / sum(LENGTHS))
            hits += write_chromosome(folder / f"chr{chrom}.parquet", chrom, here, rng)[0]
        bins = {"test": ["E1"], "bin_low": [9.0], "bin_high": [10.0], "count": [1]}
        pd.DataFrame(bins).to_parquet(folder / "summary.parquet")
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", THIN, str(ROOT), name, str(P1)])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if status:
            sys.exit("the thinning failed")
        row = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
            "variants": count,
            "hits": hits,
            **kept(folder),
            "seconds": round(seconds, 1),
            "peak_mb": round(usage.ru_maxrss / 1024),
        }
    known = [pd.read_csv(TABLE, sep="\t")] if TABLE.exists() else []
    table = pd.concat([*known, pd.DataFrame([row])])
    table.to_csv(TABLE, sep="\t", index=False)
    sys.stdout.write(table.to_string(index=False) + "\n")


def kept(folder: Path) -> dict[str, object]:
    """Return the number of MANOVA results in the file, and the sizes of the file and of its points in the report."""
    from contigwas.report.manhattan import manhattan

    points = pd.read_parquet(folder / "points.parquet")
    own = points[points["test"] == "manova"]
    loci = pd.DataFrame(columns=["locus", "chrom", "pos", "start", "end"])
    page = manhattan(folder / "points.parquet", loci, "benchmark", P1, 5e5)
    return {
        "hits_kept": int(own["hit"].sum()),
        "others": int((~own["hit"]).sum()),
        "file_mb": round((folder / "points.parquet").stat().st_size / 1e6, 2),
        "page_mb": round(len(page.points) / 1e6, 2),
    }


if __name__ == "__main__":
    main()
