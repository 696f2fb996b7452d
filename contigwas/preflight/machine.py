"""Check the machine: permission to write, locks, disk space, memory and GPUs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contigwas.preflight.context import PreflightContext
from contigwas.preflight.cost import Cost, estimate
from contigwas.runtime.memory import available

RESULTS, LOCKS = Path("results"), Path(".snakemake/locks")
MAX_CPU_HOURS = 12  # hours of training on a CPU above which a warning is added
TOLERANCE = 1.5  # factor by which an estimate may be wrong


@dataclass(frozen=True)
class Plan:
    """How Snakemake will run.

    Attributes:
        gpus: maximum number of GPU jobs at the same time in the profile (0: none).
        local: whether jobs run on this machine.
    """

    gpus: int = 0
    local: bool = True


def check(context: PreflightContext, plan: Plan, results: Path = RESULTS, locks: Path = LOCKS) -> None:
    """Check the folder, the disk, the memory and the GPUs."""
    _check_writable(context, results)
    _check_locks(context, locks)
    found = gpus()
    cost = estimate(context, bool(found))
    if cost is None:
        context.findings.fact("machine", "hours, disk and memory are not estimated: the genotypes are not known yet")
        _check_gpus(context, plan, found, 0)
        return
    _check_gpus(context, plan, found, sum(hours for stage, hours in cost.hours.items() if stage.startswith("pretrain")))
    _check_disk(context, cost, results)
    _check_memory(context, plan, cost)
    _report_hours(context, cost, found)


def gpus() -> list[str]:
    """The names of the GPUs that nvidia-smi lists; none without nvidia-smi."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _check_writable(context: PreflightContext, results: Path) -> None:
    """Write a file to check that results can be written: permissions do not show a read-only or full disk."""
    folder = next(one for one in (results, *results.absolute().parents) if one.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".preflight."):
            pass
    except OSError as error:
        context.findings.error(
            "results",
            f"{results} cannot be written ({error.strerror}): change its permissions, or run in another folder with "
            "--directory",
        )


def _check_locks(context: PreflightContext, locks: Path) -> None:
    # the lock of preflight itself is empty
    held = [path for path in locks.glob("*.lock") if path.stat().st_size]
    if not held:
        return
    if _is_running():
        text = "another Snakemake process runs in this folder: wait until it ends"
    else:
        text = (
            "the folder is locked, but no Snakemake process runs in it on this machine: if none runs on another "
            "machine either, unlock it with snakemake --unlock"
        )
    context.findings.warn(".snakemake/locks", text)


def _is_running() -> bool:
    """Whether a Snakemake process that is not an ancestor of this process runs in this folder."""
    ancestors, process = set(), os.getpid()
    while process > 1:
        ancestors.add(process)
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            is_snakemake = int(folder.name) not in ancestors and any(b"snakemake" in word for word in words[:4])
            if is_snakemake and (folder / "cwd").resolve() == Path.cwd():
                return True
        except OSError:
            continue
    return False


def _check_gpus(context: PreflightContext, plan: Plan, found: list[str], hours: float) -> None:
    trains = any("method" in recipe or "apply" in recipe for recipe in context.config["models"].values())
    if found:
        context.findings.fact("gpu", f"{len(found)}: {'; '.join(dict.fromkeys(found))}")
    elif trains and plan.local and hours <= MAX_CPU_HOURS:
        context.findings.fact("gpu", "no GPU is listed by nvidia-smi: networks run on the CPU")
    elif trains and not plan.local:
        context.findings.fact("gpu", "no GPU on this machine; training jobs request one from the cluster")
    if trains and plan.local and not found and hours > MAX_CPU_HOURS:
        context.findings.warn(
            "gpu",
            f"no GPU is listed by nvidia-smi, and training takes about {_format_hours(hours)} hours on a CPU: run on a "
            "machine or a cluster with a GPU",
        )
    if plan.local and plan.gpus > max(len(found), 1):
        context.findings.warn(
            "gpu",
            f"the profile allows {plan.gpus} GPU jobs at the same time (resources: gpu={plan.gpus}), but this machine "
            f"has {len(found)} GPU{'s' * (len(found) != 1)}: set it to {max(len(found), 1)}",
        )


def _check_disk(context: PreflightContext, cost: Cost, results: Path) -> None:
    folder = next(one for one in (results, *results.absolute().parents) if one.exists())
    free = shutil.disk_usage(folder).free
    used = sum(path.stat().st_size for path in results.rglob("*") if path.is_file()) if results.is_dir() else 0
    need = sum(cost.disk.values())
    more = max(need - used, 0)
    context.findings.fact(
        "disk",
        f"results need about {_format_bytes(need)} ({_list_largest(cost.disk)}); {_format_bytes(used)} are used "
        f"already, {_format_bytes(free)} are free",
    )
    if more > TOLERANCE * free:
        context.findings.error(
            "disk",
            f"results need about {_format_bytes(more)} more, but {_format_bytes(free)} are free: free some space, or "
            "run on another disk with --directory",
        )
    elif more * TOLERANCE > free:
        context.findings.warn(
            "disk",
            f"results need about {_format_bytes(more)} more, and only {_format_bytes(free)} are free: free some space",
        )


def _check_memory(context: PreflightContext, plan: Plan, cost: Cost) -> None:
    stage, need = max(cost.memory.items(), key=lambda item: item[1])
    free = available()
    context.findings.fact(
        "memory",
        f"the stage with the highest memory, {stage}, needs about {_format_bytes(need)}; {_format_bytes(free)} are "
        "free on this machine",
    )
    if not plan.local or need <= free:
        return
    alternative = ", or supply genotypes.kinship" if stage.startswith("genotypes") else ""
    add_finding = context.findings.error if need > TOLERANCE * free else context.findings.warn
    add_finding(
        "memory",
        f"{stage} needs about {_format_bytes(need)}, but {_format_bytes(free)} are free: run on a machine with more "
        f"memory{alternative}",
    )


def _report_hours(context: PreflightContext, cost: Cost, found: list[str]) -> None:
    stages: dict[str, float] = {}
    for name, hours in cost.hours.items():
        stage = name.split(" (")[0]
        stages[stage] = stages.get(stage, 0) + hours
    stage_hours = ", ".join(f"{stage} {_format_hours(hours)}" for stage, hours in stages.items())
    device = "one NVIDIA H200 for networks" if found else "no GPU"
    context.findings.fact(
        "hours",
        f"about {_format_hours(sum(stages.values()))} in total if jobs run one after another (order of magnitude): "
        f"{stage_hours}",
    )
    context.findings.fact(
        "hours",
        f"assumed rates: benchmarks/*.tsv (2 cores, {device}), and the decoding rate measured now; not estimated: "
        f"{'; '.join(cost.not_estimated)}",
    )


def _format_hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else "<0.1"


def _format_bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _list_largest(disk: Mapping[str, float]) -> str:
    largest = sorted(disk.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {_format_bytes(size)}" for name, size in largest)
