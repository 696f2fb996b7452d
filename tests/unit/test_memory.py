"""Available memory in control groups, and the message if it is not enough."""

import numpy as np
import pytest
import torch

from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import available, enough_memory, killed


def group(folder, limit, used, cache, names):
    folder.mkdir(parents=True, exist_ok=True)
    most, now, inactive = names
    (folder / most).write_text(f"{limit}\n")
    (folder / now).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{inactive} {cache}\n")


@pytest.mark.parametrize(
    ("controllers", "names"),
    [
        ("", ("memory.max", "memory.current", "inactive_file")),
        ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ],
)
def test_smallest_cgroup_limit_plus_cached_pages(tmp_path, controllers, names):
    root, own = tmp_path / "cgroup" / controllers, tmp_path / "own"
    group(root / "slurm/job_1", 5_000_000, 3_000_000, 1_000_000, names)
    group(root / "slurm/job_1/step_0", "max", 2_000_000, 0, names)
    number = 0 if not controllers else 4
    own.write_text(f"9:cpuset:/\n{number}:{controllers}:/slurm/job_1/step_0\n")
    assert available(tmp_path / "cgroup", own) == 3_000_000


def test_without_limit_machine_memory_is_available(tmp_path):
    """The pages of files that were read are not free, but given back."""
    group(tmp_path / "cgroup", "max", 1, 0, ("memory.max", "memory.current", "inactive_file"))
    (tmp_path / "own").write_text("0::/\n")
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       65000000 kB\nMemFree:          300000 kB\nMemAvailable:   48000000 kB\n")
    for own in ("own", "absent"):
        assert available(tmp_path / "cgroup", tmp_path / own, meminfo) == 48_000_000 * 1024
    assert available() > 0


def test_without_meminfo_it_is_what_the_machine_has_free(tmp_path, monkeypatch):
    free = {"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": 300}
    monkeypatch.setattr("contigwas.runtime.memory.os.sysconf", free.__getitem__)
    (tmp_path / "old").write_text("MemTotal:       65000000 kB\nMemFree:          300000 kB\n")
    for meminfo in ("old", "absent"):
        assert available(tmp_path, tmp_path / "absent", tmp_path / meminfo) == 4096 * 300


@pytest.mark.parametrize("ask", [lambda: torch.empty(1 << 55, dtype=torch.uint8), lambda: np.empty(1 << 55, np.uint8)])
def test_out_of_memory_is_reported(ask):
    with pytest.raises(UserError, match="^lower batch$"), enough_memory("lower batch"):
        ask()


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("lower batch"):
        raise RuntimeError("shapes differ")


def test_a_job_that_was_killed_is_seen_in_snakemakes_log(tmp_path):
    log = tmp_path / "snakemake.log"
    assert killed([log]) is None
    log.write_text("Command '… burden.py' returned non-zero exit status 1.\nstatus 1375")
    assert killed([log]) is None
    for line in ("tmp.burden.py' died with <Signals.SIGKILL: 9>.", "returned non-zero exit status 137."):
        log.write_text(f"CalledProcessError\nCommand '{line}\n")
        assert "--set-resources RULE:mem_mb" in killed([log])
