"""Shared code of the benchmarks: time and peak memory of a whole process, and tables to which rows are appended."""

import datetime
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from contigwas.runtime.atomic_files import write_tsv  # noqa: E402
from contigwas.tables.text import read_table  # noqa: E402


def timed(command: Sequence[str], limit: float = float("inf")) -> dict[str, float]:
    """Return wall and user seconds and peak memory (MiB) of a process, which is stopped after `limit` seconds.

    plink2 gets one BLAS thread, as its authors advise in addition to --threads.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"} if command[0] == "plink2" else dict(os.environ)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
    timer = threading.Timer(min(limit, 86_400), process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    timer.cancel()
    if status and wall < limit:
        raise SystemExit(f"{command[0]} failed")
    return {"wall_s": wall, "user_s": usage.ru_utime, "peak_mib": usage.ru_maxrss / 1024, "stopped": bool(status)}


def in_turn(commands: Mapping[str, Sequence[str]], runs: int, limit: float = float("inf")) -> dict[str, list[dict]]:
    """Run the programs alternately, `runs` times each, so that slow phases of the machine affect all of them."""
    found: dict[str, list[dict]] = {program: [] for program in commands}
    for _ in range(runs):
        for program, command in commands.items():
            found[program].append(timed(command, limit))
    return found


def row(program: str, runs: Sequence[Mapping[str, float]], **what: object) -> dict[str, object]:
    """Return a table row with the medians of the runs."""
    digits = {"wall_s": 2, "user_s": 2, "peak_mib": 0}
    medians = {name: round(median(run[name] for run in runs), places) for name, places in digits.items()}
    found = {"date": datetime.date.today().isoformat(), "program": program, **what, **medians, "runs": len(runs)}
    found["finished"] = not any(run["stopped"] for run in runs)
    sys.stdout.write(f"{found}\n")
    return found


def append(rows: Sequence[Mapping[str, object]], table: Path) -> None:
    """Append rows to a table, which is created if it does not exist."""
    old = [read_table(table)] if table.exists() else []
    write_tsv(pd.concat([*old, pd.DataFrame(rows)], ignore_index=True), table)
