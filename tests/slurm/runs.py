"""Snakemake runs through the cluster, with the repository's profile."""

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.slurm.cluster import Cluster, Job
from tests.studies import Run

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
WITHOUT_ACCOUNTING = "# Clusters without accounting"
# a quick cluster is asked more often, and its disk is local
QUICK = ["--slurm-init-seconds-before-status-checks=1", "--seconds-between-status-checks=1", "--latency-wait=5"]
RUN_NAME = re.compile(r"SLURM run ID: (\S+)")


def section(lines: list[str], title: str) -> list[str]:
    """The commented settings below a title of the profile, without their `#`: a user would do the same."""
    start = next(i for i, line in enumerate(lines) if line.startswith(title)) + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("#")), len(lines))
    return [line.removeprefix("#") for line in lines[start:end]]


def profile_without_accounting(folder: Path, *titles: str) -> Path:
    """A copy of profiles/slurm in `folder` where the lines for no accounting, and those below `titles`, count."""
    lines = PROFILE.read_text().splitlines()
    added = [line for title in (WITHOUT_ACCOUNTING, *titles) for line in section(lines, title)]
    copy = folder / "profiles" / "test"
    copy.mkdir(parents=True, exist_ok=True)
    (copy / "config.yaml").write_text("\n".join([*lines, *added]) + "\n")
    return copy


@dataclass
class Submitted:
    """A Snakemake that runs through a cluster, and what it has printed so far."""

    cluster: Cluster
    process: subprocess.Popen
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def name(self) -> str | None:
        """The name that all jobs of this run have in the queue."""
        found = RUN_NAME.search(self.text)
        return found[1] if found else None

    def jobs(self) -> list[Job]:
        """The jobs of this run."""
        return self.cluster.jobs(self.name) if self.name else []

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def finish(self, seconds: float) -> Run:
        """Wait for the end; a run that hangs is killed and fails the test with what it had printed."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            queue = "\n".join(map(str, self.jobs()))
            pytest.fail(f"snakemake still ran after {seconds:.0f} s:\n{self.text[-4000:]}\n{queue}")
        return Run(status, self.text)

    def kill(self) -> None:
        """Kill Snakemake, if it still runs."""
        self.process.kill()
        self.process.wait()


def submit(cluster: Cluster, folder: Path, *arguments: str, profile: Path, config: Path | None = None) -> Submitted:
    """Start Snakemake in `folder` on the cluster, and return at once."""
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(profile), *QUICK, "--nocolor", *arguments]
    if config is not None:
        command += ["--configfile", str(config)]  # last: it takes every word that follows
    output = folder / f"snakemake{len(list(folder.glob('snakemake*.out')))}.out"
    with output.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**cluster.environment, "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` ignores it
        )
    return Submitted(cluster, process, output)
