"""Available memory of a process, and error messages for too little memory."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contigwas.runtime.errors import UserError

CGROUP, OWN_CGROUPS, MEMINFO = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/meminfo")
# messages of torch's CPU allocator, on Linux and on other systems
TORCH_MESSAGES = ("can't allocate memory", "not enough memory")

MORE_MEMORY = (
    "give it more memory (on a cluster, --set-resources RULE:mem_mb=…), or run fewer jobs at a time (--cores), then "
    "run the same command again"
)


def available(cgroup: Path = CGROUP, own: Path = OWN_CGROUPS, meminfo: Path = MEMINFO) -> int:
    """Return the available memory in bytes: the minimum over the machine and the control groups of this process.

    Schedulers limit jobs by control groups (version 1 or 2), which the free memory of the machine does not reflect.
    Cached pages of files count as available, because the system can drop them.
    """
    free = _of_machine(meminfo)
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return free
    for _, controllers, path in lines:
        if controllers in ("", "memory"):
            root = cgroup / controllers
            folder = root / path.lstrip("/")
            places = [folder, *folder.parents] if folder.is_relative_to(root) else []
            limits = [_left(place) for place in places if place.is_relative_to(root)]
            free = min([free, *(one for one in limits if one is not None)])
    return max(free, 0)


def _of_machine(meminfo: Path) -> int:
    """Return MemAvailable on Linux; on other systems the free memory, which does not include cached pages."""
    try:
        return 1024 * int(re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)[1])
    except (OSError, TypeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _left(folder: Path) -> int | None:
    """Return the bytes that a control group leaves, including its inactive cached pages; None without a limit."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            maximum, now = (folder / limit).read_text().strip(), int((folder / used).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        return None if maximum == "max" else int(maximum) - now + int(stat.get(cache, 0))
    return None


@contextmanager
def enough_memory(sentence: str) -> Iterator[None]:
    """Raise UserError with `sentence` if the block runs out of memory on the GPU or the CPU."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(sentence) from None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error means too little memory; by class name, because importing torch takes seconds."""
    is_memory_error = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_memory_error or any(message in str(error) for message in TORCH_MESSAGES)


def killed(logs: Iterable[str | os.PathLike]) -> str | None:
    """Return advice if the Snakemake logs report a job that was killed by SIGKILL; else None."""
    for log in map(Path, logs):
        text = log.read_text(errors="replace") if log.is_file() else ""
        if re.search(r"died with <Signals\.SIGKILL|exit status 137\b", text):  # 137: killed inside a shell
            return f"A job was killed, probably because memory ran out (see dmesg): {MORE_MEMORY}."
    return None
