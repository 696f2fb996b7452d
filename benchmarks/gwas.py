"""The GWAS engine compared with plink2 --glm: whole processes with output, 2 threads, alternating on one machine.

    python benchmarks/gwas.py compare      # 8,000 samples, 40,000 variants, with and without missing calls
    python benchmarks/gwas.py scale        # 50,000 samples, 128 features, three numbers of variants
    python benchmarks/gwas.py engine       # after start-up, compared with reading and the matrix product

The data are written by gwas_data.py to --folder once; there are 17 covariates. plink2 runs as `plink2 --glm hide-covar
--no-psam-pheno --threads 2` with OPENBLAS_NUM_THREADS=1. Install libopenblas0-pthread: with the reference BLAS plink2
is many times slower. contigwas runs in a process like that of the rule, with imports, tests over features and
histograms. Appends to benchmarks/gwas.tsv: medians of wall and user seconds and peak memory, and the ratio of plink2's
wall seconds to those of contigwas. For `engine` it is the ratio of its seconds to the sum of reading and product. If
plink2 is stopped before it finishes, the ratio is a lower bound.
"""

import argparse
import datetime
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from measure import ROOT, append, row, timed

SETTINGS = {"missing": "exact", "tests": ["minp", "manova", "acat"], "min_ac": 20, "qc": {"maf": 0.01}}
OURS = """
from contigwas.gwas.gwas import write_gwas
from contigwas.runtime.job import job
with job({log!r}, 2):
    files = {phenotypes!r}, {covariates!r}
    write_gwas({bed!r}, "1", {variants!r}, *files, {settings!r}, {out!r}, {summary!r}, threads=2)
"""
CASES = [(128, 0.0, 40_000), (10, 0.005, 40_000), (128, 0.005, 40_000), (128, 0.0, 160_000)]


def data(folder: Path, samples: int, variants: int, missing: float) -> Path:
    """Return the folder of a data set, and create the data set if it does not exist."""
    place = folder / f"n{samples}_m{variants}_missing{missing:g}"
    if not (place / "genotypes.fam").exists():
        sizes = ["--samples", samples, "--variants", variants, "--missing", missing, "--features", 128]
        subprocess.run([sys.executable, ROOT / "benchmarks/gwas_data.py", place, *map(str, sizes)], check=True)
    return place


def ours(place: Path, features: int, variants: Path | None = None) -> list[str]:
    """Return the command of contigwas."""
    phenotypes = place / f"phenotypes{features}.parquet"
    pd.read_parquet(place / "phenotypes.parquet").iloc[:, : features + 1].to_parquet(phenotypes)
    code = OURS.format(
        log=str(place / "ours.log"),
        bed=str(place / "genotypes.bed"),
        variants=variants and str(variants),
        phenotypes=str(phenotypes),
        covariates=str(place / "covariates.parquet"),
        settings=SETTINGS,
        out=str(place / "ours.parquet"),
        summary=str(place / "ours.summary.parquet"),
    )
    return [sys.executable, "-c", code]


def plink2(place: Path, features: int) -> list[str]:
    """Return the command of plink2 on the same data."""
    phenotypes = place / f"phenotypes{features}.tsv"
    pd.read_csv(place / "phenotypes.tsv", sep="\t").iloc[:, : features + 2].to_csv(phenotypes, sep="\t", index=False)
    return [
        *("plink2", "--bfile", str(place / "genotypes"), "--glm", "hide-covar", "--no-psam-pheno"),
        *("--pheno", str(phenotypes), "--covar", str(place / "covariates.tsv"), "--threads", "2"),
        *("--out", str(place / "theirs")),
    ]


def compare(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Run both programs alternately. plink2 runs once if a run takes minutes."""
    rows = []
    for number, (features, missing, variants) in enumerate(CASES):
        if arguments.case is not None and number != arguments.case:
            continue
        place = data(arguments.folder, 8000, variants, missing)
        pair = {"contigwas": ours(place, features), "plink2": plink2(place, features)}
        runs: dict[str, list] = {program: [] for program in pair}
        for _ in range(arguments.runs):
            for program, command in pair.items():
                if len(runs[program]) == 0 or program == "contigwas" or runs[program][0]["wall_s"] < 60:
                    runs[program].append(timed(command, arguments.limit))
        what = {"n_samples": 8000, "variants": variants, "features": features, "missing": missing}
        both = [row(program, runs[program], **what) for program in pair]
        both[0]["ratio"] = round(both[1]["wall_s"] / both[0]["wall_s"], 1)
        rows += both
    return rows


def scale(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Measure time and memory over the number of variants at a fixed number of samples."""
    place = data(arguments.folder, 50_000, 100_000, 0.0)
    identifiers = pd.DataFrame({"id": [f"v{one}" for one in range(100_000)], "index": np.arange(100_000)})
    rows = []
    for variants in (25_000, 50_000, 100_000):
        kept = place / f"kept{variants}.parquet"
        identifiers.assign(kept=identifiers["index"] < variants).to_parquet(kept)
        what = {"n_samples": 50_000, "variants": variants, "features": 128, "missing": 0.0}
        rows.append(row("contigwas", [timed(ours(place, 128, kept))], **what))
    return rows


def engine(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Measure the seconds of reading, of the float32 matrix product, and of the engine over all blocks."""
    import torch

    from contigwas.genotypes.reader import open_genotypes
    from contigwas.gwas.design import design
    from contigwas.gwas.samples import tested_samples
    from contigwas.gwas.scan import Limits, scan
    from contigwas.gwas.summary import Histogram
    from contigwas.gwas.tester import Tester
    from contigwas.gwas.variants import Variants

    torch.set_num_threads(2)
    place = data(arguments.folder, 8000, 40_000, 0.0)
    genotypes = open_genotypes(place / "genotypes.bed", "1", 2)
    samples = tested_samples(genotypes, place / "phenotypes.parquet", place / "covariates.parquet")
    everything = Variants(genotypes, np.arange(40_000), samples, "GRCh37")
    covariates, names = everything.covariates(samples)
    titles = list(samples.features.columns)
    plan = design(covariates, names, samples.features.to_numpy(), titles)
    values, columns = torch.rand(1024, 8000), torch.rand(8000, 146)
    seconds: dict[str, list[float]] = {"reading": [], "product": [], "engine": []}
    for _ in range(arguments.runs):
        start = time.perf_counter()
        for block in range(0, 40_000, 1024):
            genotypes.read(np.arange(block, min(block + 1024, 40_000)), samples.rows)
        seconds["reading"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for _block in range(0, 40_000, 1024):
            values @ columns
        seconds["product"].append(time.perf_counter() - start)
        tester = Tester(plan, titles, 8000)
        histogram = Histogram([*titles, *tester.tests])
        start = time.perf_counter()
        for _found in scan(everything.blocks(1024), tester, histogram, Limits(0.01, 0.0), None, 2):
            pass
        seconds["engine"].append(time.perf_counter() - start)
    what = {"n_samples": 8000, "variants": 40_000, "features": 128, "missing": 0.0}
    rows = []
    for part, found in seconds.items():
        rows.append({"date": datetime.date.today().isoformat(), "program": f"contigwas: {part}", **what})
        rows[-1] |= {"wall_s": round(median(found), 2), "runs": len(found)}
        sys.stdout.write(f"{rows[-1]}\n")
    rows[-1]["ratio"] = round(rows[-1]["wall_s"] / (rows[0]["wall_s"] + rows[1]["wall_s"]), 2)
    return rows


def main() -> None:
    """Run one of the three benchmarks and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "scale", "engine"])
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=400, help="seconds after which a run is stopped")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="one of the cases of compare")
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/gwas.tsv")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.resolve()
    append({"compare": compare, "scale": scale, "engine": engine}[arguments.what](arguments), arguments.table)


if __name__ == "__main__":
    main()
