"""The container directive of the Snakefile. A stand-in for apptainer runs the commands of jobs on this machine.

tests/container.sh builds the image itself and runs a study in it.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.workflow.test_bad_input import cohort

IMAGE = "contigwas.sif"
TARGET = "results/samples/candidates.tsv"
RULES = {("samples_candidates", "")}
APPTAINER = """#!/bin/sh
if [ "$1" = --version ]; then echo "apptainer version 1.3.4"; exit; fi
echo "$@" >> {calls}
while [ "$1" != {image} ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def calls(tmp_path, monkeypatch) -> Path:
    """What the stand-in was called with, one line a job."""
    calls, program = tmp_path / "calls.txt", tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(APPTAINER.format(calls=calls, image=IMAGE))
    program.chmod(0o755)
    calls.touch()
    folders = [str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    return calls


@pytest.mark.slow
def test_jobs_run_in_the_image_only_with_sdm_apptainer(study, calls):
    run = study("phenotypes.yaml")
    cohort(run.folder)
    done = run(TARGET)
    assert done.status == 0, done.text
    assert not calls.read_text()
    # Snakemake compares the name of the image as software-env, one of the rerun triggers of profiles/
    contained = (TARGET, "--sdm", "apptainer")
    assert set(run("--dry-run", *contained).jobs()) == RULES
    assert not run("--dry-run", *contained, "--rerun-triggers", "mtime", "params", "input").jobs()
    done = run(*contained)
    assert done.status == 0, done.text
    (call,) = calls.read_text().splitlines()
    assert f" {IMAGE} " in call and "samples_candidates.py" in call
    assert not run("--dry-run", *contained).jobs()
    assert set(run("--dry-run", TARGET).jobs()) == RULES
