"""Time of a dry run of Snakemake, which every call and every job on a cluster spends.

    python benchmarks/dry_run.py                        # config/examples/ukb.yaml with ten models and five folds
    python benchmarks/dry_run.py --finished FOLDER      # also a finished demo, with nothing to do

The input files of the study are empty: 22 chromosomes of array and exome, 481 scores. Appends to
benchmarks/dry_run.tsv.
"""

import argparse
import copy
import sys
import tempfile
from pathlib import Path

import yaml
from measure import ROOT, append, row, timed

sys.path.insert(0, str(ROOT / "docs"))
from rerun_dag import touch_inputs

MODELS, SCORES = 10, 481


def study(folder: Path) -> Path:
    """Write the example config with more models, and empty input files; return the config."""
    text = (ROOT / "config/examples/ukb.yaml").read_text().replace("data/", "in/")
    config = yaml.safe_load(text)
    for number in range(MODELS - len(config["models"])):
        config["models"][f"contig{number}"] = copy.deepcopy(config["models"]["contig"])
    touch_inputs(config, folder)
    for number in range(SCORES):
        (folder / f"in/pgs/PGS{number:06d}.txt.gz").touch()
    path = folder / "ukb.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def main() -> None:
    """Time both commands alternately and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=Path, help="folder of a finished demo")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/dry_run.tsv")
    arguments = parser.parse_args()
    snakemake = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "8"]
    with tempfile.TemporaryDirectory() as folder:
        config = study(Path(folder))
        commands = {"UK Biobank, ten models": [*snakemake, "--directory", folder, "--configfile", str(config)]}
        if arguments.finished:
            commands["finished demo"] = [*snakemake, "--directory", str(arguments.finished)]
        runs = {name: [timed(command) for _ in range(arguments.runs)] for name, command in commands.items()}
    append([row(name, found) for name, found in runs.items()], arguments.table)


if __name__ == "__main__":
    main()
