"""Gene burden of a simulated exome: time and peak memory of the whole process.

    python benchmarks/burden.py                                 # 20,000 samples, 20,000 genes, 400,000 variants
    python benchmarks/burden.py --samples 2000 --genes 1000      # a small trial

The data are written to --folder once: 22 .bed files of rare variants (allele counts in proportion to 1/count, up to
twice the frequency limit, with a few missing calls), annotations, a set list, and the expected number of nonzero
entries of the burden. The stage runs in a process like that of the rule, with the masks lof (LoF) and damaging (LoF,
missense) and max_aaf 0.001. Imports and writing are included. Appends to benchmarks/burden.tsv: sizes, features,
entries (checked), seconds, peak memory, file size.
"""

import argparse
import json
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from measure import ROOT, append, in_turn, row

from contigwas.runtime.atomic_files import write_tsv

CHROMOSOMES, MAX_AAF, MISSING, BLOCK = 22, 0.001, 1e-4, 2048
CATEGORIES, SHARES = ["LoF", "missense", "synonymous"], [0.15, 0.6, 0.25]
MASKS = {"lof": ["LoF"], "damaging": ["LoF", "missense"]}
STAGE = """
import json, sys
from contigwas.burden import write_burden
from contigwas.runtime.job import job
folder, settings, out = sys.argv[1:4]
with job(out + ".log"):
    write_burden(folder + "/chr{chrom}.bed", range(1, 23), folder + "/annotations.txt", folder + "/sets.txt",
                 folder + "/cohort.tsv", json.loads(settings), out)
"""


def bits(samples: np.ndarray) -> np.ndarray:
    """Return the position of the two bits of each sample in its byte."""
    return (2 * (samples % 4)).astype(np.uint8)


def write_chromosome(folder: Path, chrom: int, samples: int, sizes: np.ndarray, rng: np.random.Generator) -> dict:
    """Write a .bed of rare variants of genes with `sizes` variants; return the number of entries of every mask."""
    count = int(sizes.sum())
    gene = np.repeat(np.arange(len(sizes)), sizes)
    category = rng.choice(len(CATEGORIES), count, p=SHARES)
    counts = np.arange(1, max(2, int(4 * MAX_AAF * samples)) + 1)
    drawn = rng.choice(counts, count, p=1 / counts / (1 / counts).sum())
    names = [f"{chrom}:{1000 + number}:A:G" for number in range(count)]
    pairs = {mask: [] for mask in MASKS}
    with (folder / f"chr{chrom}.bed").open("wb") as file:
        file.write(b"\x6c\x1b\x01")
        for start in range(0, count, BLOCK):
            part = drawn[start : start + BLOCK]
            block = np.full((len(part), -(-samples // 4)), 0xFF, np.uint8)  # no sample carries the first allele
            row = np.repeat(np.arange(len(part)), part)
            keys = np.unique(row * samples + rng.integers(0, samples, row.size))
            row, carrier = np.divmod(keys, samples)
            np.bitwise_xor.at(block, (row, carrier // 4), np.uint8(1) << bits(carrier))  # 11 becomes 10
            absent = np.setdiff1d(rng.integers(0, len(part) * samples, int(MISSING * len(part) * samples)), keys)
            lost, sample = np.divmod(absent, samples)
            np.bitwise_xor.at(block, (lost, sample // 4), np.uint8(2) << bits(sample))  # 11 becomes 01
            if samples % 4:
                block[:, -1] &= (1 << 2 * (samples % 4)) - 1
            file.write(block.tobytes())
            called = samples - np.bincount(lost, minlength=len(part))
            rare = np.bincount(row, minlength=len(part)) / (2 * called) <= MAX_AAF
            for mask, categories in MASKS.items():
                fits = rare & np.isin(category[start : start + BLOCK], [CATEGORIES.index(one) for one in categories])
                chosen = fits[row]
                pairs[mask].append(gene[start : start + BLOCK][row[chosen]] * samples + carrier[chosen])
    with (folder / f"chr{chrom}.bim").open("w") as file:
        file.writelines(f"{chrom}\t{name}\t0\t{1000 + number}\tG\tA\n" for number, name in enumerate(names))
    fam = "".join(f"{one}\t{one}\t0\t0\t0\t-9\n" for one in range(1, samples + 1))
    (folder / f"chr{chrom}.fam").write_text(fam)
    with (folder / "annotations.txt").open("a") as file:
        reported = zip(names, gene, category, strict=True)
        file.writelines(f"{name} G{chrom}_{one} {CATEGORIES[kind]}\n" for name, one, kind in reported)
    with (folder / "sets.txt").open("a") as file:
        ends = np.cumsum(sizes)
        for number, (end, size) in enumerate(zip(ends, sizes, strict=True)):
            file.write(f"G{chrom}_{number} {chrom} {1000 + end - size} {','.join(names[end - size : end])}\n")
    return {mask: int(np.unique(np.concatenate(one)).size) for mask, one in pairs.items()}


def data(folder: Path, samples: int, genes: int, variants: int) -> Path:
    """Return the folder of a data set, and create the data set if it does not exist."""
    place = folder / f"burden_n{samples}_g{genes}_v{variants}"
    if (place / "entries.json").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    for name in ("annotations.txt", "sets.txt"):
        (place / name).unlink(missing_ok=True)
    rng = np.random.default_rng(1)
    chrom = rng.integers(0, CHROMOSOMES, genes)
    sizes = np.maximum(1, rng.multinomial(variants, rng.dirichlet(np.full(genes, 1.5))))
    entries = [write_chromosome(place, one + 1, samples, sizes[chrom == one], rng) for one in range(CHROMOSOMES)]
    iid = np.arange(1, samples + 1)
    cohort = {
        "fid": iid,
        "iid": iid,
        "sex": 0,
        "family": "f",
        "fold": 0,
        "gwas_included": 1,
        "exclusion": "",
        "gwas_exclusion": "",
    }
    write_tsv(pd.DataFrame(cohort), place / "cohort.tsv")
    (place / "entries.json").write_text(json.dumps(sum(sum(one.values()) for one in entries)))
    return place


def command(place: Path, statistic: str) -> list[str]:
    """Return the command of the stage."""
    vep = {"gene": "SYMBOL", "score": None, "min_score": 0.5, "loftee": False}
    rules = {"masks": MASKS, "statistic": statistic, "max_aaf": MAX_AAF, "max_missing": 1, "singletons": False}
    settings = json.dumps({**rules, "aaf": None, "vep": vep})
    return [sys.executable, "-c", STAGE, str(place), settings, str(place / f"{statistic}.h5ad")]


def checked(place: Path, statistic: str) -> dict[str, float]:
    """Return the size of the file. Its number of entries must be the simulated one."""
    out = place / f"{statistic}.h5ad"
    burden = anndata.read_h5ad(out).X
    expected = json.loads((place / "entries.json").read_text())
    if burden.nnz != expected:
        raise SystemExit(f"the burden has {burden.nnz} entries, where {expected} were simulated")
    return {"features": burden.shape[1], "entries": burden.nnz, "file_mb": round(out.stat().st_size / 1e6, 1)}


def main() -> None:
    """Create the data, run the stage and append the results to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--variants", type=int, help="number of variants (default: 20 per gene)")
    parser.add_argument("--statistics", nargs="+", default=["max", "sum"], choices=["max", "sum", "comphet", "binary"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/burden.tsv")
    arguments = parser.parse_args()
    what = {"n_samples": arguments.samples, "genes": arguments.genes}
    what["variants"] = arguments.variants or 20 * arguments.genes
    place = data(arguments.folder.resolve(), **what)
    runs = in_turn({one: command(place, one) for one in arguments.statistics}, arguments.runs)
    reported = [{**what, "statistic": one, **checked(place, one)} for one in arguments.statistics]
    append([row("contigwas", runs[one["statistic"]], **one) for one in reported], arguments.table)


if __name__ == "__main__":
    main()
