"""What can be reported about a run through SLURM before its first job is submitted."""

import re
import subprocess
from collections.abc import Mapping

from contigwas.runtime.errors import UserError

NAMES = re.compile(r"[\w.-]+(,[\w.-]+)*")
SECONDS = 20  # a controller that does not answer must not hold up the run


def partitions() -> set[str]:
    """The partitions of the cluster, hidden ones too; none where `sinfo` is absent or gets no answer."""
    command = ["sinfo", "--all", "--noheader", "--format=%R"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return set()
    return set(done.stdout.split()) if done.returncode == 0 else set()


def check_partitions(named: Mapping[str, str]) -> None:
    """Refuse partitions that the cluster does not have; `named` maps places to names, with commas if several.

    Without this the executor would submit every job as often as `retries` says and print each refusal in full. An
    expression instead of a name is left to SLURM, and so is everything where the cluster's partitions are unknown.
    """
    plain = {where: name for where, name in named.items() if NAMES.fullmatch(name)}
    known = partitions() if plain else set()
    for where, name in plain.items():
        missing = [one for one in name.split(",") if one not in known]
        if known and missing:
            raise UserError(
                f"the profile or the command line names the SLURM partition {missing[0]} (slurm_partition in {where}), "
                f"but the cluster has only {', '.join(sorted(known))}: name one of these"
            )
