"""Hundreds of polygenic scores in one pass compared with plink2 --score: whole processes, 2 threads, alternating.

    python benchmarks/pgs_score.py dense     # one table of 481 scores, each with a weight for all 40,000 variants
    python benchmarks/pgs_score.py files     # 481 files of the PGS Catalog with 2,000 rows each
    python benchmarks/pgs_score.py dense --samples 1000 --variants 2000 --scores 20     # a small trial

The genotypes are written by gwas_data.py to --folder once (8,000 samples, 40,000 variants, 0.5 % missing calls). plink2
gets all scores as the columns of one table, also when contigwas reads 481 files, because plink2 reads one file per run.
Both impute missing calls by the allele frequency; the averages must agree. contigwas runs in a process like that of the
rule: it reads and matches the files, computes scores, and writes the modality and the report of matches. Appends to
benchmarks/pgs_score.tsv: medians of wall and user seconds and peak memory, and the ratio of plink2's seconds to those
of contigwas.
"""

import argparse
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from gwas_data import write_genotypes
from measure import ROOT, append, in_turn, row

from contigwas.runtime.atomic_files import write_tsv

OURS = """
import glob
from contigwas.runtime.job import job
from contigwas.pgs import write_pgs
with job({log!r}, 2):
    write_pgs(sorted(glob.glob({scores!r})), {bed!r}, {{"1": {variants!r}}}, {cohort!r}, {settings!r}, "GRCh37",
              {out!r}, {matching!r}, threads=2)
"""


def write_data(place: Path, samples: int, variants: int, missing: float) -> None:
    """Write genotypes and the tables that contigwas reads, without scores."""
    place.mkdir(parents=True, exist_ok=True)
    write_genotypes(place / "genotypes.bed", samples, variants, missing, np.random.default_rng(1))
    bim = pd.read_csv(place / "genotypes.bim", sep=r"\s+", header=None, dtype={0: str})
    bim = bim.set_axis(["chrom", "id", "cm", "pos", "effect_allele", "other_allele"], axis=1)
    index = np.arange(variants, dtype=np.int32)
    bim.assign(af=0.2, call_rate=1.0, kept=True, reason="", index=index).to_parquet(place / "variants.parquet")
    iid = [f"P{one:06d}" for one in range(samples)]
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


def write_scores(place: Path, layout: str, scores: int, rows: int) -> Path:
    """Write the scores for plink2 as one table, and for contigwas in `layout`; return the glob of the latter."""
    rng = np.random.default_rng(2)
    bim = pd.read_parquet(place / "variants.parquet")
    weights = np.zeros((len(bim), scores))
    folder = place / layout
    folder.mkdir(exist_ok=True)
    names = [f"S{number:04d}" for number in range(scores)]
    for number, name in enumerate(names):
        chosen = np.sort(rng.choice(len(bim), min(rows, len(bim)), replace=False))
        weights[chosen, number] = rng.standard_normal(chosen.size).round(6)
        if layout == "files":
            table = bim.iloc[chosen][["id", "chrom", "pos", "effect_allele", "other_allele"]]
            table = table.set_axis(["rsID", "chr_name", "chr_position", "effect_allele", "other_allele"], axis=1)
            with (folder / f"{name}.txt").open("w") as file:
                file.write(f"#pgs_id={name}\n#genome_build=GRCh37\n")
                table.assign(effect_weight=weights[chosen, number]).to_csv(file, sep="\t", index=False)
    table = bim[["id", "effect_allele"]].set_axis(["ID", "A1"], axis=1)
    pd.concat([table, pd.DataFrame(weights, columns=names)], axis=1).to_csv(place / "scores.tsv", sep="\t", index=False)
    if layout == "dense":
        (folder / "scores.tsv").write_bytes((place / "scores.tsv").read_bytes())
    return folder / "*"


def main() -> None:
    """Run both programs and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=["dense", "files"])
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--samples", type=int, default=8_000)
    parser.add_argument("--variants", type=int, default=40_000)
    parser.add_argument("--scores", type=int, default=481)
    parser.add_argument("--missing", type=float, default=0.005)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/pgs_score.tsv")
    arguments = parser.parse_args()
    what = {"n_samples": arguments.samples, "variants": arguments.variants, "missing": arguments.missing}
    place = arguments.folder.resolve() / "pgs_n{samples}_m{variants}_missing{missing:g}".format(**what)
    if not (place / "cohort.tsv").exists():
        write_data(place, **what)
    rows = arguments.variants if arguments.layout == "dense" else 2_000
    ours = write_scores(place, arguments.layout, arguments.scores, rows)
    names = {"log": "ours.log", "bed": "genotypes.bed", "variants": "variants.parquet", "cohort": "cohort.tsv"}
    names |= {"out": "ours.h5ad", "matching": "matching.tsv"}
    settings = {"min_overlap": 0.75, "ambiguous": "drop", "exclude": [], "genotypes": None}
    code = OURS.format(scores=str(ours), settings=settings, **{key: str(place / name) for key, name in names.items()})
    columns = f"3-{arguments.scores + 2}"
    score = ["--score", str(place / "scores.tsv"), "1", "2", "header-read", "--score-col-nums", columns]
    commands = {
        "contigwas": [sys.executable, "-c", code],
        "plink2": [
            "plink2",
            "--bfile",
            str(place / "genotypes"),
            *score,
            "--threads",
            "2",
            "--out",
            str(place / "theirs"),
        ],
    }
    runs = in_turn(commands, arguments.runs)
    found = anndata.read_h5ad(place / "ours.h5ad")
    theirs = pd.read_csv(place / "theirs.sscore", sep="\t").rename(columns=lambda name: name.lstrip("#"))
    theirs = theirs.set_index("IID").loc[found.obs_names]
    # plink2 divides by all variants of its table, with or without a weight
    expected = theirs[[f"{name}_AVG" for name in found.var_names]].to_numpy() * arguments.variants / rows
    agree = np.allclose(found.X, expected, rtol=1e-5, atol=1e-5 * expected.std())  # plink2 prints six digits
    if found.shape[1] != arguments.scores or not agree:
        raise SystemExit(f"{found.shape[1]} scores of {arguments.scores}, or other values than plink2's")
    what |= {"layout": arguments.layout, "scores": arguments.scores}
    found = [row(program, runs[program], **what) for program in commands]
    found[0]["ratio"] = round(found[1]["wall_s"] / found[0]["wall_s"], 1)
    append(found, arguments.table)


if __name__ == "__main__":
    main()
