"""Grades of real fundus photographs by networks of the demo: scores of tests/config/real_grading.yaml in one table.

    snakemake downstream --cores 2 --configfile tests/config/real_grading.yaml
    python benchmarks/grading.py

Reads results/models/{model}/downstream/{task}.tsv of that run (or of the folder --results). Writes
benchmarks/grading.tsv: every arm, label fraction and difference of arms over all seeds, with its interval and the
number of seeds that could be used.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    folder = parser.parse_args().results
    config = yaml.safe_load((ROOT / "tests/config/real_grading.yaml").read_text())
    tables = []
    for task, settings in config["downstream"].items():
        for model in settings["models"]:
            rows = pd.read_csv(folder / f"models/{model}/downstream/{task}.tsv", sep="\t")
            seeds = rows[rows["seed"].notna()].groupby(["arm", "share"])["seed"].nunique()
            rows = rows[rows["seed"].isna()]
            first = rows[["arm", "share"]].assign(arm=rows["arm"].str.split(" - ").str[0])
            counted = seeds.reindex(pd.MultiIndex.from_frame(first)).to_numpy()
            rows = rows.assign(task=task, model=model, seeds=counted)
            tables.append(
                rows[["task", "model", "arm", "share", "metric", "value", "low", "high", "n_samples", "seeds"]]
            )
    table = pd.concat(tables)
    table.to_csv(ROOT / "benchmarks/grading.tsv", sep="\t", index=False, float_format="%.4g")
    sys.stdout.write(table[table["metric"].isin(["kappa", "auroc"])].to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
