"""Build a wheel, install it without extras into an empty environment, and use it there as a user would.

    python tests/wheel.py

The environment imports every module of the package. Then it runs a study of phenotypes with the Snakefile of a clone
that lacks contigwas/, so that the library can only come from the wheel. The workflow must find the planted variant.
Needs Python 3.11 with venv, and what pip needs to install envs/constraints.txt; no other package. It takes about five
minutes, most of it for the installation. .ci/run calls it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLONE = ["Snakefile", "config", "profiles", "workflow"]
PACKAGE = ["LICENSE", "README.md", "contigwas", "pyproject.toml"]
CONFIG = "tests/config/phenotypes.yaml"
PLANTED = "rs5"


def main() -> None:
    """Run all steps in a temporary folder and print how long each took."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        python = work / "environment/bin/python"
        study = work / "study"
        study.mkdir()
        shutil.copy(ROOT / CONFIG, study / "study.yaml")
        copy(PACKAGE, work / "source")
        copy(CLONE, work / "clone")
        venv.create(work / "environment", with_pip=True)
        pip = [python, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        constraints = ["--constraint", ROOT / "envs/constraints.txt"]
        step("wheel", work, *pip, "wheel", "--no-deps", "--wheel-dir", work, *constraints, work / "source")
        shutil.rmtree(work / "source")
        step("installation", work, *pip, "install", "--no-compile", *constraints, *work.glob("contigwas-*.whl"))
        step("dependencies", work, *pip, "check")
        step("imports", work, python, "-I", __file__, "import")
        step("input", study, python, "-I", __file__, "write")
        snakemake = [python, "-I", "-m", "snakemake", "--snakefile", work / "clone/Snakefile"]
        step("study", study, *snakemake, "--cores", "2", "--configfile", "study.yaml")
        step("results", study, python, "-I", __file__, "read")
    sys.stdout.write("wheel.py: passed\n")


def copy(parts: list[str], folder: Path) -> None:
    """Copy files and folders of the repository into `folder`."""
    folder.mkdir()
    for part in parts:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)


def step(title: str, folder: Path, *command: object) -> None:
    """Run a command in `folder`; exit with its output if it fails."""
    started = time.monotonic()
    done = subprocess.run(
        [str(one) for one in command],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nwheel.py: {title}: exit status {done.returncode}")
    sys.stdout.write(f"wheel.py: {title}: {time.monotonic() - started:.0f} seconds\n")
    sys.stdout.flush()


def clean_environment() -> dict[str, str]:
    """The environment variables without those that add modules, so that jobs of Snakemake find only the wheel."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}


def import_all() -> None:
    """Import every module of the installed package. The extras must be absent."""
    from importlib import import_module
    from importlib.util import find_spec
    from pkgutil import walk_packages

    import contigwas

    assert Path(contigwas.__file__).is_relative_to(sys.prefix), contigwas.__file__
    for extra in ("mambapy", "msprime", "tensorboardX", "transformers", "umap"):
        assert find_spec(extra) is None, f"{extra} belongs to an extra, but a plain install has it"
    modules = [one.name for one in walk_packages(contigwas.__path__, "contigwas.")]
    for module in modules:
        import_module(module)
    assert len(modules) > 200, modules


def write_inputs() -> None:
    """Genotypes of 80 samples, their covariates, and two traits, one of which is a variant's genotype with noise."""
    import numpy as np
    import pandas as pd
    from bed_reader import to_bed

    rng = np.random.default_rng(1)
    iids = [f"{1000000 + 7 * number}" for number in range(80)]
    dosages = rng.binomial(2, rng.uniform(0.2, 0.8, 60), (80, 60)).astype(np.int8)
    sex = rng.integers(1, 3, 80)
    properties = {
        "fid": iids,
        "iid": iids,
        "sex": sex,
        "sid": [f"rs{number}" for number in range(60)],
        "chromosome": ["1"] * 60,
        "bp_position": 1000 * np.arange(1, 61),
        "allele_1": ["A"] * 60,
        "allele_2": ["G"] * 60,
    }
    to_bed("genotypes.bed", dosages, properties=properties)
    covariates = pd.DataFrame({"iid": iids, "sex": sex, "age": rng.normal(60, 5, 80)})
    covariates.to_csv("covariates.tsv", sep="\t", index=False)
    traits = {"height": rng.normal(size=80), "weight": dosages[:, int(PLANTED[2:])] + rng.normal(0, 0.3, 80)}
    pd.DataFrame({"IID": iids, **traits}).to_csv("traits.tsv", sep="\t", index=False)


def read_results() -> None:
    """The only locus must be that of the planted variant, and the report must be complete."""
    import pandas as pd

    loci = pd.read_csv("results/models/traits/loci.tsv", sep="\t")
    assert loci["lead_id"].tolist() == [PLANTED], loci.to_string()
    assert Path("results/report.html").stat().st_size > 100_000


if __name__ == "__main__":
    steps = {"import": import_all, "write": write_inputs, "read": read_results}
    (steps[sys.argv[1]] if sys.argv[1:] else main)()
