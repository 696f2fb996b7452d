"""The demo over several seeds: planted loci found and false loci of every model, from results/evaluation.

    python benchmarks/demo_seeds.py --seeds 42 43 44 --cores 2

Runs the workflow in one folder per seed: the demo's own seed in the repository, other seeds under --runs. All folders
are kept, so an interrupted call resumes. Writes benchmarks/demo_seeds.tsv, the evaluation tables of all seeds.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run all seeds, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--cores", default="all")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    demo = yaml.safe_load((ROOT / "config/config.yaml").read_text())["seed"]
    tables = []
    for seed in arguments.seeds:
        folder = ROOT if seed == demo else arguments.runs / f"seed{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "snakemake", "evaluate", "--cores", str(arguments.cores), "--quiet"]
        command += ["--snakefile", str(ROOT / "workflow/Snakefile"), "--config", f"seed={seed}"]
        subprocess.run(command, check=True, cwd=folder)
        tables.append(pd.read_csv(folder / "results/evaluation/models.tsv", sep="\t").assign(seed=seed))
    table = pd.concat(tables)
    table.insert(0, "seed", table.pop("seed"))
    table.to_csv(ROOT / "benchmarks/demo_seeds.tsv", sep="\t", index=False, float_format="%.4g")
    sys.stdout.write(table.to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
