"""The machine: can results be written, are there disk, memory and GPUs for the plan, is the folder locked."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contigwas.preflight.context import Study
from contigwas.preflight.cost import Cost, estimate
from contigwas.runtime.memory import available

RESULTS, LOCKS = Path("results"), Path(".snakemake/locks")
LONG = 12  # hours of training on a CPU that are worth a warning
SLACK = 1.5  # how far an estimate may be off before it is called an error


@dataclass(frozen=True)
class Plan:
    """How Snakemake will run: gpus is what the profile lets run at once (0: none); local: on this machine."""

    gpus: int = 0
    local: bool = True


def check(study: Study, plan: Plan, results: Path = RESULTS, locks: Path = LOCKS) -> None:
    """Look at the folder, the disk, the memory and the GPUs."""
    _writable(study, results)
    _locks(study, locks)
    found = gpus()
    cost = estimate(study, bool(found))
    if cost is None:
        study.findings.fact("machine", "hours, disk and memory are not estimated: the genotypes are not known yet")
        _gpus(study, plan, found, 0)
        return
    _gpus(study, plan, found, sum(hours for stage, hours in cost.hours.items() if stage.startswith("pretrain")))
    _disk(study, cost, results)
    _memory(study, plan, cost)
    _hours(study, cost, found)


def gpus() -> list[str]:
    """The names of the GPUs that nvidia-smi lists; none where there is no such program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _writable(study: Study, results: Path) -> None:
    """By writing: what permissions say is not what a read-only or full disk does."""
    place = next(one for one in (results, *results.absolute().parents) if one.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".preflight."):
            pass
    except OSError as error:
        study.findings.error(
            "results",
            f"{results} cannot be written ({error.strerror}): give yourself permission to write there, or run "
            "elsewhere with --directory",
        )


def _locks(study: Study, locks: Path) -> None:
    # preflight locks no file: its own lock is empty
    held = [path for path in locks.glob("*.lock") if path.stat().st_size]
    if not held:
        return
    if _running():
        text = "another snakemake runs in this folder: wait until it ends"
    else:
        text = (
            "a lock was left behind, and no snakemake runs in this folder on this machine: if none runs on another, "
            "open it with snakemake --unlock"
        )
    study.findings.warn(".snakemake/locks", text)


def _running() -> bool:
    """Whether a snakemake works in this folder that is not an ancestor of this process."""
    own, process = set(), os.getpid()
    while process > 1:
        own.add(process)
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            named = int(folder.name) not in own and any(b"snakemake" in word for word in words[:4])
            if named and (folder / "cwd").resolve() == Path.cwd():
                return True
        except OSError:
            continue
    return False


def _gpus(study: Study, plan: Plan, found: list[str], hours: float) -> None:
    trains = any("method" in recipe or "apply" in recipe for recipe in study.config["models"].values())
    if found:
        study.findings.fact("gpu", f"{len(found)}: {'; '.join(dict.fromkeys(found))}")
    elif trains and plan.local and hours <= LONG:
        study.findings.fact("gpu", "none (nvidia-smi lists none): networks run on the CPU")
    elif trains and not plan.local:
        study.findings.fact("gpu", "none on this machine; jobs that train ask the cluster for one")
    if trains and plan.local and not found and hours > LONG:
        study.findings.warn(
            "gpu",
            f"no GPU here (nvidia-smi lists none), and training takes about {_rounded(hours)} hours on a CPU: run on a "
            "machine or a cluster with one",
        )
    if plan.local and plan.gpus > max(len(found), 1):
        study.findings.warn(
            "gpu",
            f"the profile lets {plan.gpus} GPU jobs run at once (resources: gpu={plan.gpus}), but there "
            f"{'is' if len(found) == 1 else 'are'} {len(found)}: set it to {max(len(found), 1)}",
        )


def _disk(study: Study, cost: Cost, results: Path) -> None:
    place = next(one for one in (results, *results.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free
    have = sum(path.stat().st_size for path in results.rglob("*") if path.is_file()) if results.is_dir() else 0
    need = sum(cost.disk.values())
    left = max(need - have, 0)
    reported = (
        f"results need about {_bytes(need)} ({_largest(cost.disk)}), {_bytes(have)} are there, {_bytes(free)} are free"
    )
    study.findings.fact("disk", reported)
    if left > SLACK * free:
        study.findings.error(
            "disk", f"results need about {_bytes(left)} more, and {_bytes(free)} are free: free some space, or run on "
            "another disk with --directory"
        )  # fmt: skip
    elif left * SLACK > free:
        study.findings.warn(
            "disk", f"results need about {_bytes(left)} more, and only {_bytes(free)} are free: free some space"
        )


def _memory(study: Study, plan: Plan, cost: Cost) -> None:
    stage, need = max(cost.memory.items(), key=lambda item: item[1])
    free = available()
    study.findings.fact(
        "memory", f"the largest stage, {stage}, needs about {_bytes(need)}; {_bytes(free)} are free on this machine"
    )
    if not plan.local or need <= free:
        return
    external = ", or supply genotypes.kinship" if stage.startswith("genotypes") else ""
    tell = study.findings.error if need > SLACK * free else study.findings.warn
    tell(
        "memory",
        f"{stage} needs about {_bytes(need)}, and {_bytes(free)} are free: run on a machine with more memory{external}",
    )


def _hours(study: Study, cost: Cost, found: list[str]) -> None:
    stages: dict[str, float] = {}
    for name, hours in cost.hours.items():
        stage = name.split(" (")[0]
        stages[stage] = stages.get(stage, 0) + hours
    reported = ", ".join(f"{stage} {_rounded(hours)}" for stage, hours in stages.items())
    training = "one NVIDIA H200 for networks" if found else "no GPU"
    study.findings.fact(
        "hours",
        f"{_rounded(sum(stages.values()))} in all, one job after another, to an order of magnitude: {reported}",
    )
    study.findings.fact(
        "hours",
        f"assumed: the rates of benchmarks/*.tsv (2 cores, {training}), images as fast as those decoded just now; not "
        f"counted: {'; '.join(cost.lacking)}",
    )


def _rounded(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else "<0.1"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _largest(disk: Mapping[str, float]) -> str:
    largest = sorted(disk.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {_bytes(size)}" for name, size in largest)
