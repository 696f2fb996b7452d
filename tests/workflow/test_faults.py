"""Killed, or without room on the disk: the same command ends with the results of a run that nobody struck."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import faults
from faults import Moment, Study

pytestmark = pytest.mark.slow

TARGETS = ["loci", "results/models/contig/plots/regional", "results/models/contig/gwas-ssf"]
MOMENTS = [Moment("snakemake killed", 4, 1.0), Moment("job killed", 8, 0.5), Moment("disk full", 14, 0.5)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return faults.unbroken(tmp_path_factory.mktemp("faults") / "whole", TARGETS)


@pytest.fixture
def disk(tmp_path):
    """A disk of its own where mounting is allowed; else the jobs are denied room."""
    with faults.small_disk(tmp_path / "a study"):
        yield tmp_path / "a study"


def test_struck_at_three_moments_it_ends_with_the_same_results(whole, disk):
    study = Study(disk, TARGETS)
    rows = faults.one_pass(study, MOMENTS, whole)
    printed = study.printed.read_text()
    assert [row["kind"] for row in rows] == [moment.kind for moment in MOMENTS], printed[-3000:]
    for row in rows:
        assert row["hit"]
        assert (row["incomplete"], row["survived"], row["identical"], row["leftover"]) == (0, True, True, 0), row
    assert [row["locked"] for row in rows] == [True, False, False]
    assert {path.suffix for path in faults.files(whole).values()} >= {
        ".ckpt",
        ".h5ad",
        ".npy",
        ".parquet",
        ".gz",
        ".png",
    }
    reported = [line for line in printed.splitlines() if line.startswith("contigwas: ") and "written" in line]
    assert reported
    assert all("then run the same command again" in line for line in reported)
    assert "A job was killed, probably because memory ran out" in printed
    assert "Traceback" not in printed


def test_a_second_run_and_a_lock_left_behind_name_the_remedy(tmp_path):
    study = Study(tmp_path / "study", ["simulate"])
    first = study.start()
    while not study.locked():
        assert first.poll() is None
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGSTOP)  # or it would end before the sensitivity analyses of lead variants
    assert study.run() == 1, "two at once"
    assert "It can be removed with the --unlock argument" in " ".join(study.printed.read_text().split())
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert study.locked()
    assert study.run() == 1
    assert study.run("--unlock") == 0
    assert study.run() == 0


@pytest.fixture
def read_only(tmp_path):
    """A folder on which nobody may write: a read-only disk for root, a closed folder for others."""
    folder = tmp_path / "archive"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this root may not mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_results_that_cannot_be_written_are_reported_before_any_job(tmp_path, read_only):
    study = Study(tmp_path / "study", ["simulate"])
    (study.folder / "results").symlink_to(read_only)
    assert study.run("--dry-run", *study.targets) == 0, "a dry run writes nothing there"
    assert study.run() == 1
    printed = study.printed.read_text()
    reported = [line for line in printed.splitlines() if line.startswith(f"{read_only} cannot be written, because ")]
    assert len(reported) == 1
    assert "--directory" in reported[0]
    assert "Traceback" not in printed
    assert "jobid" not in printed.split("Job stats")[-1], "no job began"
    assert not study.locked()
