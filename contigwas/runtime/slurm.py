"""Checks of a SLURM run before the first job is submitted."""

import re
import subprocess
from collections.abc import Mapping

from contigwas.runtime.errors import UserError

NAMES = re.compile(r"[\w.-]+(,[\w.-]+)*")
TIMEOUT_SECONDS = 20  # so that an unresponsive controller does not delay the run


def partitions() -> set[str]:
    """Return the partitions of the cluster, including hidden ones; empty if `sinfo` is absent or does not answer."""
    command = ["sinfo", "--all", "--noheader", "--format=%R"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return set()
    return set(result.stdout.split()) if result.returncode == 0 else set()


def check_partitions(requested: Mapping[str, str]) -> None:
    """Raise UserError for partitions that the cluster does not have.

    `requested` maps a place in the profile to comma-separated names. Without this check the executor would submit
    every job `retries` times and print each error. Expressions are not checked, and nothing is if the partitions of the
    cluster are unknown.
    """
    plain_names = {where: name for where, name in requested.items() if NAMES.fullmatch(name)}
    existing = partitions() if plain_names else set()
    for where, name in plain_names.items():
        missing = [one for one in name.split(",") if one not in existing]
        if existing and missing:
            raise UserError(
                f"profile or command line, slurm_partition in {where}: the cluster has no partition {missing[0]}. "
                f"Choose from {', '.join(sorted(existing))}"
            )
