"""Snakemake runs of tests, in a copy of the repository so that a test may edit it."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

PARTS = ["config", "contigwas", "envs", "profiles", "workflow"]


@dataclass(frozen=True)
class Run:
    """A finished call of snakemake: its exit status, what it printed, and the jobs of its dry run."""

    status: int
    text: str

    def jobs(self) -> Counter:
        """Jobs by (rule, model); the model is empty where the rule has no such wildcard. `all` is left out."""
        found: Counter = Counter()
        for chunk in re.split(r"\n(?:local)?rule ", "\n" + self.text)[1:]:
            rule, body = chunk.split(":", 1)
            body = body.split("\n[", 1)[0]
            wildcards = re.search(r"\n\s+wildcards: (.*)", body)
            model = re.search(r"model=(\w+)", wildcards.group(1)) if wildcards else None
            found[(rule.strip(), model.group(1) if model else "")] += 1
        found.pop(("all", ""), None)
        return found


@dataclass(frozen=True)
class Study:
    """A folder with a copy of the workflow, where snakemake runs on one config."""

    folder: Path
    config: Path | None

    def __call__(self, *arguments: str, cores: int = 2) -> Run:
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", str(cores), "--nocolor"]
        if self.config is not None:
            command += ["--configfile", str(self.config)]  # last: it takes every word that follows
        environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def dry(self, *arguments: str) -> Run:
        """A dry run."""
        return self("--dry-run", *arguments)

    @contextmanager
    def changed(self, change: Callable[[dict], dict | None]) -> Iterator["Study"]:
        """The study with its config changed, in place or for what `change` returns.

        Afterwards the config is as it was, and results that came meanwhile are gone: other tests count what is there.
        """
        before, files = self.config.read_text(), self._results()
        config = yaml.safe_load(before)
        self.config.write_text(yaml.safe_dump(change(config) or config, sort_keys=False))
        try:
            yield self
        finally:
            self.config.write_text(before)
            for path in sorted(self._results() - files, reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def _results(self) -> set[Path]:
        return set((self.folder / "results").rglob("*"))


def clone(root: Path, folder: Path) -> Path:
    """Copy what a run needs of the repository into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder
