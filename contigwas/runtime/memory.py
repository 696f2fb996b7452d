"""How much memory a process may still take, and one sentence for the several errors that say it was too little."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contigwas.runtime.errors import UserError

CGROUP, OWN, MEMINFO = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/meminfo")
# what torch says where its allocator for CPUs gets nothing: on Linux, and elsewhere
SAID = ("can't allocate memory", "not enough memory")

MORE = (
    "give it more memory (on a cluster, --set-resources RULE:mem_mb=…), or run fewer jobs at a time (--cores), then "
    "run the same command again"
)


def available(cgroup: Path = CGROUP, own: Path = OWN, meminfo: Path = MEMINFO) -> int:
    """Bytes: what the machine can give, or what the control groups of this process leave it, where that is less.

    Pages of files that were read count as free, since the system drops them when asked.

    A scheduler limits its jobs by control groups (version 2, or 1), of which the machine's free memory knows nothing.
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
            left = [_left(place) for place in places if place.is_relative_to(root)]
            free = min([free, *(one for one in left if one is not None)])
    return max(free, 0)


def _of_machine(meminfo: Path) -> int:
    """MemAvailable of Linux; elsewhere what is free, which the pages of files that were read make small."""
    try:
        return 1024 * int(re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)[1])
    except (OSError, TypeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _left(folder: Path) -> int | None:
    """What one control group leaves, the pages of files that it could give back included; None without a limit."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, now = (folder / limit).read_text().strip(), int((folder / used).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        return None if most == "max" else int(most) - now + int(stat.get(cache, 0))
    return None


@contextmanager
def enough_memory(sentence: str) -> Iterator[None]:
    """Raise UserError of `sentence` where the memory of a GPU or of the CPU runs out inside the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not short(error):
            raise
        raise UserError(sentence) from None


def short(error: Exception) -> bool:
    """Whether memory was short. By the class's name: torch takes seconds to import."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or any(said in str(error) for said in SAID)


def killed(logs: Iterable[str | os.PathLike]) -> str | None:
    """What to do about a job that was killed outright, where Snakemake's logs tell of one; None elsewhere."""
    for log in map(Path, logs):
        text = log.read_text(errors="replace") if log.is_file() else ""
        if re.search(r"died with <Signals\.SIGKILL|exit status 137\b", text):  # 137: inside a shell
            return f"A job was killed, as the system does where memory runs out (dmesg tells): {MORE}."
    return None
