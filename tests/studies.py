"""Snakemake runs of tests, in a copy of the repository so that a test may edit it."""

import atexit
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from contigwas.runtime import code_digest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
import rerun_dag

PARTS = ["config", "contigwas", "envs", "profiles", "workflow"]
FORKSERVER = Path(__file__).with_name("forkserver.py")


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
class Dry:
    """A dry run within this process: its exit status, the error message, and the jobs that would run."""

    status: int
    text: str
    needed: tuple

    def jobs(self) -> Counter:
        """Jobs by (rule, model), as in `Run`."""
        assert self.status == 0, self.text[-3000:]
        return Counter(
            (job.rule.name, job.wildcards_dict.get("model", "")) for job in self.needed if job.rule.name != "all"
        )

    def readers(self, path: str) -> list:
        """The jobs that would run with a file as input."""
        assert self.status == 0, self.text[-3000:]
        return [job for job in self.needed if path in map(str, job.input)]


@dataclass(frozen=True)
class Study:
    """A folder with a copy of the workflow, where snakemake runs on one config.

    Snakemake and its jobs are forks of a process with the libraries imported; `cold` starts Python for each, as
    users do.
    """

    folder: Path
    config: Path | None
    cold: bool = False

    def __call__(self, *arguments: str, cores: int = 2) -> Run:
        python = sys.executable if self.cold else str(forking_python())
        command = [python, "-m", "snakemake", *arguments, "--cores", str(cores), "--nocolor"]
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

    def dry(self, *targets: str, forcerun: Iterable[str] = (), **config: object) -> Dry:
        """A dry run within this process, some ten times as fast as `self("--dry-run")`; `config` changes single keys.

        A run that ends in one sentence has that sentence as text; a traceback is in the text where one was raised.
        """
        errors: list[str] = []
        handler = logging.Handler(logging.ERROR)
        handler.emit = lambda record: errors.append(record.getMessage())
        before = sys.executable, logging.raiseExceptions, [*sys.path]
        logging.getLogger().addHandler(handler)  # Snakemake takes away those of its own logger
        try:
            with rerun_dag.building(
                self.folder,
                self.config,
                self.folder / "workflow/Snakefile",
                targets or ["all"],
                force=False,
                forcerun=forcerun,
                keys=config,
            ) as workflow:
                return Dry(0, "", tuple(workflow.dag.needrun_jobs()))
        except SystemExit as error:
            return Dry(int(error.code), "\n".join(errors), ())
        except Exception:
            return Dry(1, "\n".join([*errors, traceback.format_exc()]), ())
        finally:
            logging.getLogger().removeHandler(handler)
            sys.executable, logging.raiseExceptions, sys.path[:] = before  # the workflow changes them

    def attempt(self, *targets: str) -> Run | Dry:
        """A run; where its dry run already fails, that alone."""
        dry = self.dry(*targets)
        return dry if dry.status else self(*targets)

    @contextmanager
    def edited(self, path: str, line: str) -> Iterator["Study"]:
        """The study with one more line of code in a file; dry runs within this process heed the study's own library."""
        file = self.folder / path
        before, package = file.read_text(), code_digest.PACKAGE
        file.write_text(f"{before}\n{line}\n")
        forget_digests()
        code_digest.PACKAGE = self.folder / "contigwas"
        try:
            yield self
        finally:
            file.write_text(before)
            code_digest.PACKAGE = package
            forget_digests()

    def copy(self, folder: Path) -> "Study":
        """The study in another folder. Results are copied; what no run writes into is linked."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return replace(self, folder=folder, config=folder / self.config.name)

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
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        else:
            shutil.copy(source, folder / part)
    return folder


def forget_digests() -> None:
    """Let digests of code be computed anew, after files were edited."""
    for function in vars(code_digest).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


@cache
def forking_python() -> Path:
    """A program that runs `python ARGUMENTS` as a fork of a process of this session, with the libraries imported."""
    folder = Path(tempfile.mkdtemp(prefix="forks"))
    address = folder / "socket"
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    server = subprocess.Popen(
        [sys.executable, str(FORKSERVER), "serve", str(address)],
        env={**os.environ, **one_thread, "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        server.stdin.close()
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    assert server.stdout.readline() == "ready\n"
    program = folder / "python"
    words = ["env", f"FORKSERVER_PYTHON={program}", sys.executable, "-IS", str(FORKSERVER), str(address)]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    program.chmod(0o700)
    return program
