"""KING-robust of all pairs compared with plink2 --make-king-table: whole processes, 2 threads, alternating.

    python benchmarks/king.py                                    # 10,000 samples, 50,000 variants
    python benchmarks/king.py --missing 0.005                    # with missing calls
    python benchmarks/king.py --samples 1000 --variants 5000      # a small trial

The data are written to --folder once: independent variants; a hundred of the samples are children of two others. Both
programs report the pairs above 0.0884, which must be the same. contigwas runs in a process like that of the rule, with
imports, the level expected by chance, and writing. Appends to benchmarks/king.tsv: medians of wall and user seconds and
peak memory, and the ratio of plink2's wall seconds to those of contigwas.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from bed_reader import create_bed
from measure import ROOT, append, in_turn, row

LIMIT = 0.0884
CHILDREN = 100
OURS = """
from contigwas.genotypes.kinship import kinship
from contigwas.runtime.job import job
with job({log!r}, 2):
    kinship({bed!r}, ["1"], [{pruned!r}], {samples!r}, {limit!r}, {out!r})
"""


def write_data(place: Path, samples: int, variants: int, missing: float) -> None:
    """Write a .bed of 100 trios and unrelated samples, and the tables that contigwas reads."""
    rng = np.random.default_rng(1)
    place.mkdir(parents=True, exist_ok=True)
    iids = np.array([f"P{one:06d}" for one in range(samples)])
    properties = {
        "fid": np.full(samples, "0"),
        "iid": iids,
        "chromosome": np.full(variants, "1"),
        "sid": np.array([f"v{one}" for one in range(variants)]),
        "bp_position": 1000 + 100 * np.arange(variants),
        "allele_1": np.full(variants, "A"),
        "allele_2": np.full(variants, "G"),
    }
    with create_bed(place / "all.bed", iid_count=samples, sid_count=variants, properties=properties) as bed:
        for _ in range(variants):
            frequency = rng.uniform(0.05, 0.5)
            first, second = (rng.random((2, samples), np.float32) < frequency).astype(np.int8)
            parents = np.arange(2 * CHILDREN).reshape(2, CHILDREN)
            first[-CHILDREN:] = np.where(rng.random(CHILDREN) < 0.5, first[parents[0]], second[parents[0]])
            second[-CHILDREN:] = np.where(rng.random(CHILDREN) < 0.5, first[parents[1]], second[parents[1]])
            calls = first + second
            if missing:
                calls[rng.random(samples, np.float32) < missing] = -127
            bed.write(calls)
    pd.DataFrame({"index": np.arange(variants)}).to_parquet(place / "pruned.parquet")
    pd.DataFrame({"iid": iids, "kept": True}).to_parquet(place / "samples.parquet")


def pairs(table: pd.DataFrame, one: str, other: str) -> set[frozenset]:
    """Return the unordered pairs of a table."""
    return {frozenset(pair) for pair in zip(table[one].astype(str), table[other].astype(str), strict=True)}


def main() -> None:
    """Run both programs and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--variants", type=int, default=50_000)
    parser.add_argument("--missing", type=float, default=0.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/king.tsv")
    arguments = parser.parse_args()
    what = {"samples": arguments.samples, "variants": arguments.variants, "missing": arguments.missing}
    place = arguments.folder.resolve() / "king_n{samples}_m{variants}_missing{missing:g}".format(**what)
    if not (place / "samples.parquet").exists():
        write_data(place, **what)
    names = {"log": "ours.log", "bed": "all.bed", "pruned": "pruned.parquet", "samples": "samples.parquet"}
    code = OURS.format(
        limit=LIMIT, out=str(place / "ours.parquet"), **{key: str(place / name) for key, name in names.items()}
    )
    table = ["--make-king-table", "--king-table-filter", str(LIMIT), "--threads", "2"]
    commands = {
        "contigwas": [sys.executable, "-c", code],
        "plink2": ["plink2", "--bfile", str(place / "all"), *table, "--out", str(place / "theirs")],
    }
    runs = in_turn(commands, arguments.runs)
    ours = pairs(pd.read_parquet(place / "ours.parquet"), "iid1", "iid2")
    theirs = pairs(pd.read_csv(place / "theirs.kin0", sep="\t"), "IID1", "IID2")
    if ours != theirs:
        raise SystemExit(f"the pairs differ: {len(ours)} and {len(theirs)}, {len(ours & theirs)} in both")
    rows = [row(program, runs[program], **what, pairs=len(ours)) for program in commands]
    rows[0]["ratio"] = round(rows[1]["wall_s"] / rows[0]["wall_s"], 1)
    append(rows, arguments.table)


if __name__ == "__main__":
    main()
