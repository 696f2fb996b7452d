"""Crash recovery: runs of a small cohort are interrupted at random and must give the results of a complete run.

    python benchmarks/faults.py --folder EMPTY_FOLDER --seed 1 --moments 50

One run is not interrupted. Then passes start from nothing and are interrupted several times each, at random moments:
after a number of finished jobs and a number of seconds more. After every interruption each file in results/ under its
final name must be complete, and the next command must resume. At the end of a pass every file must equal that of the
uninterrupted run, and no temporary file may be left.
"""

import argparse
import datetime
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from measure import ROOT, append

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "faults.yaml"
PARTS = ["config", "contigwas", "envs", "profiles", "workflow"]
TARGETS = ["all", "export"]
KINDS = [
    "job killed",  # SIGKILL of one running job
    "all killed",  # SIGKILL of Snakemake and its jobs: a power cut, the end of a container
    "snakemake killed",  # SIGKILL of Snakemake alone: its jobs run on
    "terminated",  # SIGTERM to Snakemake
    "interrupted",  # Ctrl-C: SIGINT to all
    "disk full",
    "killed before a rename",  # of a finished output to its name
    "killed after a rename",
]
PATIENCE = 900  # seconds without which nothing here ends
# a job that finds the file `armed` kills itself at its next rename of an output
HOOK = """
import os, signal
def struck(rename, when):
    def renamed(source, target, **more):
        ours = ".tmp." in os.path.basename(os.fspath(source))
        def strike():
            armed = os.path.join(os.environ["FAULTS"], when)
            try:
                os.rename(armed, armed + " " + os.path.basename(target))
            except FileNotFoundError:
                return
            os.kill(os.getpid(), signal.SIGKILL)
        if ours and when == "before":
            strike()
        rename(source, target, **more)
        if ours and when == "after":
            strike()
    return renamed
for when in ("before", "after"):
    os.replace, os.rename = struck(os.replace, when), struck(os.rename, when)
"""


@dataclass(frozen=True)
class Moment:
    """When and how a run is interrupted: after `jobs` finished jobs and `delay` further seconds."""

    kind: str
    jobs: int
    delay: float


class Study:
    """A copy of the workflow in a separate folder, in which Snakemake runs and is interrupted."""

    def __init__(self, folder: Path, targets: Sequence[str] = TARGETS) -> None:
        """Create the folder and copy the workflow. `targets` are the targets of every run."""
        self.targets, self.folder, self.control = [*targets], folder, folder.with_name(f"{folder.name}.control")
        for place in (folder, self.control):
            place.mkdir(parents=True, exist_ok=True)
        (self.control / "sitecustomize.py").write_text(HOOK)
        for part in PARTS:
            if (ROOT / part).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / part, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / part, folder / part)
        shutil.copy(CONFIG, folder / "faults.yaml")

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start snakemake in a new session; its output is appended to a file."""
        command = [sys.executable, "-m", "snakemake", *(arguments or self.targets), "--cores", "2", "--nocolor"]
        environment = os.environ | {"MPLBACKEND": "Agg", "FAULTS": str(self.control), "PYTHONPATH": str(self.control)}
        with self.printed.open("ab") as file:
            return subprocess.Popen(
                [*command, "--configfile", "faults.yaml"],
                cwd=self.folder,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=heeds_ctrl_c,
            )

    @property
    def printed(self) -> Path:
        """The output of all runs."""
        return self.control / "printed.txt"

    def run(self, *arguments: str) -> int:
        """Run snakemake to its end and return its exit status."""
        return self.start(*arguments).wait(PATIENCE)

    def finished(self) -> int:
        """Return the number of finished jobs, each of which has a benchmark file."""
        return sum(1 for _ in (self.folder / "results/benchmarks").rglob("*.tsv"))

    def locked(self) -> bool:
        """Whether a killed Snakemake process left its lock."""
        locks = self.folder / ".snakemake/locks"
        return locks.is_dir() and any(locks.iterdir())

    def resume_from(self) -> subprocess.Popen:
        """Do what a user does next: unlock the folder if it is locked, then repeat the command."""
        if self.locked() and self.run("--unlock"):
            raise SystemExit("--unlock failed")
        return self.start()

    def strike(self, process: subprocess.Popen, moment: Moment) -> str:
        """Wait and interrupt the run; return the rules of the running jobs, none if the run had ended."""
        while self.finished() < moment.jobs and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moment.delay)
        if moment.kind.endswith("rename"):
            return self.strike_rename(process, moment.kind.split()[1])
        running = jobs_of(process)
        while moment.kind == "job killed" and not running and process.poll() is None:
            time.sleep(0.02)
            running = jobs_of(process)
        if process.poll() is not None:
            return ""
        hit = " ".join(sorted(running)) or "no job"
        if moment.kind == "job killed":
            running[sorted(running)[0]].kill()
        elif moment.kind == "all killed":
            os.killpg(process.pid, signal.SIGKILL)
        elif moment.kind == "snakemake killed":
            process.kill()
        elif moment.kind == "terminated":
            process.terminate()
        elif moment.kind == "interrupted":
            os.killpg(process.pid, signal.SIGINT)
        elif moment.kind == "disk full":
            with self.full(process):
                process.wait(PATIENCE)
        return hit if process.wait(PATIENCE) else ""

    def strike_rename(self, process: subprocess.Popen, when: str) -> str:
        """Let the next job that renames an output kill itself, and return the name of the output."""
        armed = self.control / when
        armed.touch()
        while armed.exists() and process.poll() is None:
            time.sleep(0.02)
        armed.unlink(missing_ok=True)
        process.wait(PATIENCE)
        done = [*self.control.glob(f"{when} *")]
        name = done[0].name.partition(" ")[2] if done else ""
        for path in done:
            path.unlink()
        return name

    @contextmanager
    def full(self, process: subprocess.Popen) -> Iterator[None]:
        """Fill the disk of the study or, if it is not a separate file system, limit the file size of its jobs to 0."""
        if self.folder.is_mount():
            filler = self.folder / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            yield
            filler.unlink()
        else:
            while process.poll() is None:
                for one in jobs_of(process).values():
                    with suppress(psutil.NoSuchProcess, ProcessLookupError):
                        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (0, 0))
                time.sleep(0.02)
            yield


def heeds_ctrl_c() -> None:
    """Restore SIGINT, which shells ignore in background processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def jobs_of(process: subprocess.Popen) -> dict[str, psutil.Process]:
    """Return the running jobs of a Snakemake process by rule."""
    found = {}
    try:
        for one in psutil.Process(process.pid).children(recursive=True):
            words = one.cmdline()
            if len(words) == 2 and ".snakemake/scripts/" in words[1] and "python" in words[0]:
                found[Path(words[1]).name.split(".")[1]] = one
    except psutil.NoSuchProcess:
        pass
    return found


def files(folder: Path) -> dict[str, Path]:
    """Return every output file by its path, except logs, benchmarks, times and saved training states."""
    found = [path for part in ("results", "resources") for path in (folder / part).rglob("*")]
    left_out = (*(f"results/{part}/" for part in ("logs", "benchmarks", "scratch")), "results/evaluation/cost.tsv")
    named = {str(path.relative_to(folder)): path for path in found if not path.is_dir()}
    return {name: path for name, path in named.items() if not name.startswith(left_out)}


def is_temporary(name: str) -> bool:
    """Whether a file or its folder has a temporary name."""
    return any(re.match(r"\.\w+\.(tmp|old)\.", part) for part in Path(name).parts)


def different(folder: Path, whole: Path) -> list[str]:
    """Return the files in `folder` with final names that differ from those of the uninterrupted run."""
    expected, wrong = files(whole), []
    for name, path in files(folder).items():
        try:
            same = name in expected and path.read_bytes() == expected[name].read_bytes()
        except FileNotFoundError:  # a job that still runs has put another in its place
            continue
        if not same and not is_temporary(name):
            wrong.append(name)
    return wrong


def leftover(folder: Path) -> list[str]:
    """Return temporary files and training states that remain after the run has finished."""
    scratch = [str(path.relative_to(folder)) for path in (folder / "results/scratch").rglob("*") if path.is_file()]
    return [name for name in files(folder) if is_temporary(name)] + scratch


def drawn(seed: int, moments: int, jobs: int) -> list[Moment]:
    """Return the moments of one pass in order: the same number of each kind, spread over the run."""
    rng = np.random.default_rng(seed)
    kinds = [KINDS[number % len(KINDS)] for number in rng.permutation(max(moments, len(KINDS)))[:moments]]
    edges = np.linspace(0, jobs - 1, moments + 1)
    return [
        Moment(kind, int(rng.integers(int(low), max(int(low) + 1, int(high)))), float(rng.uniform(0, 4)))
        for kind, low, high in zip(kinds, edges, edges[1:], strict=False)
    ]


def one_pass(study: Study, moments: list[Moment], whole: Path) -> list[dict[str, object]]:
    """Interrupt one run repeatedly, let it finish, and compare it with the uninterrupted run; one row per moment."""
    rows: list[dict[str, object]] = []
    process = study.start()
    for moment in moments:
        hit = study.strike(process, moment)
        if not hit:
            if rows and process.wait(PATIENCE):
                rows[-1]["survived"] = False  # it failed without another strike
            break  # it had ended
        wrong = different(study.folder, whole)
        found = {"kind": moment.kind, "jobs_done": moment.jobs, "delay_s": round(moment.delay, 2), "hit": hit}
        found |= {"locked": study.locked(), "incomplete": len(wrong), "survived": True}
        rows.append(found)
        for name in wrong:
            print("incomplete:", name)
        process = study.resume_from()
    status = process.wait(PATIENCE)
    if rows:
        rows[-1]["survived"] = rows[-1]["survived"] and status == 0
    wrong = different(study.folder, whole)
    missing = sorted(set(files(whole)) - set(files(study.folder)))
    left = leftover(study.folder)
    print(f"status {status}; different {wrong}; missing {missing}; left {left}")
    for row in rows:
        row |= {"identical": status == 0 and not wrong and not missing, "leftover": len(left)}
    return rows


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system in memory for the study, which can be filled; do nothing without permission to mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def unbroken(folder: Path, targets: Sequence[str] = TARGETS) -> Path:
    """Return the folder of an uninterrupted run."""
    study = Study(folder, targets)
    if study.run():
        raise SystemExit(f"the unbroken run failed: see {study.printed}")
    return folder


def main() -> None:
    """Interrupt runs at random moments, compare them and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--each", type=int, default=5, help="number of moments in a pass")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for the runs")
    parser.add_argument("--whole", type=Path, help="folder of an existing uninterrupted run")
    parser.add_argument("--table", type=Path, default=HERE / "faults.tsv")
    arguments = parser.parse_args()
    start = time.monotonic()
    whole = arguments.whole or unbroken(arguments.folder / "whole")
    jobs = Study.finished(argparse.Namespace(folder=whole))
    print(f"unbroken: {jobs} jobs, {len(files(whole))} files, {time.monotonic() - start:.0f} s", flush=True)
    for number in range(-(-arguments.moments // arguments.each)):
        many = min(arguments.each, arguments.moments - number * arguments.each)
        seed = 1000 * arguments.seed + number
        with small_disk(arguments.folder / f"pass{number}"):
            study = Study(arguments.folder / f"pass{number}")
            kind = "tmpfs" if study.folder.is_mount() else "rlimit"
            rows = one_pass(study, drawn(seed, many, jobs), whole)
            today = datetime.date.today().isoformat()
            rows = [{"date": today, "seed": arguments.seed, "pass": number, "disk": kind, **row} for row in rows]
            append(rows, arguments.table)
            print(*rows, f"{time.monotonic() - start:.0f} s", sep="\n", flush=True)


if __name__ == "__main__":
    main()
