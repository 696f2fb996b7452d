"""Job context: its log, one-sentence errors, and tracebacks of internal errors."""

import errno
import fcntl
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from contigwas.genotypes.hwe import hwe_exact
from contigwas.runtime.atomic_files import replacing
from contigwas.runtime.errors import UserError
from contigwas.runtime.job import job, lock_of


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """A job sets up its process's logging for good; the tests after this file want theirs."""
    root, ours = logging.getLogger(), logging.getLogger("contigwas")
    before = root.level, ours.level, [*root.handlers]
    yield
    root.setLevel(before[0])
    ours.setLevel(before[1])
    for handler in [one for one in root.handlers if one not in before[2]]:
        handler.close()
    root.handlers[:] = before[2]
    logging.captureWarnings(False)


def test_a_users_mistake_ends_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, job(tmp_path / "a" / "b.log"):
        raise UserError("the file x lacks y: add it")
    assert end.value.code == 1
    assert capsys.readouterr().err == "contigwas: the file x lacks y: add it\n"
    text = (tmp_path / "a" / "b.log").read_text()
    assert "the file x lacks y" in text
    assert "Traceback" not in text


def test_internal_error_logs_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), job(tmp_path / "b.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "b.log").read_text()


def test_stage_log_and_thread_limit(tmp_path):
    with job(tmp_path / "b.log", 1):
        logging.getLogger("contigwas.stage").info("a column was dropped")
        logging.getLogger("chatty").info("not ours")
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    text = (tmp_path / "b.log").read_text()
    assert "a column was dropped" in text
    assert "not ours" not in text


def test_the_second_of_processes_that_train_together_adds_its_warnings_to_the_firsts_log(tmp_path, monkeypatch):
    log = logging.getLogger("contigwas.stage")
    (tmp_path / "b.log").write_text("of an earlier run\n")
    with job(tmp_path / "b.log"):
        log.info("from the first, before")
        monkeypatch.setenv("LOCAL_RANK", "1")
        first = [*logging.getLogger().handlers]
        logging.getLogger().handlers.clear()  # what another process has not
        with job(tmp_path / "b.log"):
            log.info("said twice")
            log.warning("from the second")
        logging.getLogger().handlers[:] = first
        log.warning("from the first, after")
    lines = (tmp_path / "b.log").read_text().splitlines()
    assert [line.partition("stage: ")[2] for line in lines[1:]] == [
        "from the first, before",
        "from the second",
        "from the first, after",
    ]


def ended(status, sentence, tmp_path, capsys, error):
    """A job that fails of `error` says the sentence once, on stderr and in its log, without a traceback."""
    with pytest.raises(SystemExit) as end, job(tmp_path / "b.log"):
        raise error
    assert end.value.code == status
    reported = capsys.readouterr().err
    assert reported.startswith("contigwas: ")
    assert reported.count("\n") == 1
    assert sentence in reported
    text = (tmp_path / "b.log").read_text()
    assert sentence in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left"), "the job cannot write, because the disk is full: free some space"),
        (
            MemoryError(),
            "ran out of memory (in its script): give it more memory (on a cluster, --set-resources RULE:mem_mb=…)",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
    ],
)
def test_user_errors_have_no_traceback(tmp_path, capsys, error, sentence, monkeypatch):
    monkeypatch.delitem(sys.modules, "h5py", raising=False)  # with it, a full disk ends the process at once
    ended(1, sentence, tmp_path, capsys, error)


def test_underlying_error_of_a_full_disk_is_logged(tmp_path, capsys, monkeypatch):
    """Where, not what it says: it may quote a row."""
    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    with pytest.raises(SystemExit), job(tmp_path / "b.log"), replacing(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "P000001 had no room")
    line = next(one for one in (tmp_path / "b.log").read_text().splitlines() if "underlying error" in one)
    assert re.search(r"underlying error: OSError, unit/test_logs\.py:\d+ < runtime/atomic_files\.py:\d+", line), line
    assert "P000001" not in line
    assert "underlying error" not in capsys.readouterr().err


def test_memory_names_our_line(tmp_path, capsys):
    calls = np.broadcast_to(np.int64(1), 1 << 46)  # no machine holds a copy
    with pytest.raises(SystemExit), job(tmp_path / "b.log"):
        hwe_exact(calls, calls, calls)
    assert re.search(r"ran out of memory \(contigwas/genotypes/hwe\.py, line \d+\)", capsys.readouterr().err)


def test_a_signal_unwinds_the_stage(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without it
    for number in (signal.SIGTERM, signal.SIGINT):
        with pytest.raises(SystemExit) as end, job(tmp_path / "b.log"), replacing(tmp_path / "out") as temporary:
            temporary.write_text("half")
            signal.raise_signal(number)
        assert end.value.code == 130
        assert [path.name for path in tmp_path.iterdir()] == ["b.log"]
        assert capsys.readouterr().err == "contigwas: stopped by a signal: run the same command again to resume\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_log_that_is_not_writable(tmp_path, capsys, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SystemExit) as end, job(tmp_path / "logs" / "b.log"):
        raise AssertionError("the stage must not run")
    assert end.value.code == 1
    assert "logs/b.log cannot be written, because the disk is read-only: mount it" in capsys.readouterr().err


def test_full_disk_for_the_log_does_not_stop_the_stage(root, tmp_path):
    text = """
import logging, resource, sys
from contigwas.runtime.job import job, lock_of
with job(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    for number in range(9):
        logging.getLogger("contigwas.stage").info("a line of forty characters or a few more")
    print("the stage ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", text, tmp_path / "b.log"], cwd=root, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("the stage ended\n", "")


CHILD = """
import sys, time
from pathlib import Path
from contigwas.runtime.job import job, lock_of
with job(sys.argv[1]):
    Path(sys.argv[2]).touch()
    while not Path(sys.argv[3]).exists():
        time.sleep(0.01)
"""


def test_a_job_waits_for_the_one_that_a_killed_snakemake_left(root, tmp_path):
    log, begun, end = (tmp_path / name for name in ("b.log", "begun", "end"))

    def start(begun):
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, log, begun, end], cwd=root, stderr=subprocess.PIPE, text=True
        )

    orphan = start(begun)
    while not begun.exists():
        assert orphan.poll() is None
        time.sleep(0.01)
    second = start(tmp_path / "begun too")
    said = second.stderr.readline()
    assert said.startswith(
        f"contigwas: process {orphan.pid} on {socket.gethostname()}, started by a Snakemake that was killed"
    )
    assert f"if that machine is down, remove {lock_of(log)}" in said
    assert not (tmp_path / "begun too").exists()
    assert f"process {orphan.pid}" in log.read_text(), "the log is still the first one's"
    orphan.kill()
    orphan.communicate()
    end.touch()
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert (tmp_path / "begun too").exists()
    assert f"process {second.pid}" in log.read_text()
    assert f"process {orphan.pid}" not in log.read_text()
    assert not (root / lock_of(log)).exists()


def test_a_lock_whose_holder_is_gone_for_good_can_be_removed(root, tmp_path):
    log = tmp_path / "b.log"
    lock = root / lock_of(log)
    lock.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "end").touch()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = [sys.executable, "-c", CHILD, log, tmp_path / "begun", tmp_path / "end"]
        second = subprocess.Popen(words, cwd=root, stderr=subprocess.PIPE, text=True)
        assert "another process, started by a Snakemake that was killed" in second.stderr.readline()
        lock.unlink()
        second.communicate(timeout=60)
        assert second.returncode == 0
    assert not lock.exists()


def test_a_job_that_waits_is_stopped_in_one_sentence(root, tmp_path):
    log = tmp_path / "b.log"
    lock = root / lock_of(log)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = [sys.executable, "-c", CHILD, log, tmp_path / "begun", tmp_path / "end"]
        second = subprocess.Popen(words, cwd=root, stderr=subprocess.PIPE, text=True)
        second.stderr.readline()
        second.terminate()
        assert second.communicate()[1] == "contigwas: stopped by a signal: run the same command again to resume\n"
        assert second.returncode == 130
    lock.unlink()


SNAKEFILE = """
rule training:
    output: "out.txt"
    log: "results/logs/training.log"
    script: "training.py"
"""
SCRIPT = """
from pathlib import Path
from contigwas.runtime.job import job
with job(snakemake.log[0]):
    Path(snakemake.output[0]).touch()
"""


def test_snakemake_removes_a_jobs_log_and_the_job_waits_all_the_same(root, tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "training.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(root)}
    words = [sys.executable, "-c", CHILD, "results/logs/training.log", "begun", "end"]
    orphan = subprocess.Popen(words, cwd=tmp_path, env=environment)
    while not (tmp_path / "begun").exists():
        assert orphan.poll() is None
        time.sleep(0.01)
    words = [sys.executable, "-m", "snakemake", "--cores", "1"]
    snakemake = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    said = []
    for line in snakemake.stderr:
        said.append(line)
        if "still runs this job" in line:
            break
    log = tmp_path / "results/logs/training.log"
    assert f"process {orphan.pid} on " in said[-1], said
    assert not log.exists(), "Snakemake removed it"
    assert not (tmp_path / "out.txt").exists()
    (tmp_path / "end").touch()
    orphan.communicate()
    rest = snakemake.communicate()[1]
    assert snakemake.returncode == 0, rest
    assert (tmp_path / "out.txt").exists()
    assert log.read_text().count("process ") == 1
    assert not list((tmp_path / ".snakemake/contigwas").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_job_ends_with_the_snakemake_that_started_it(root, tmp_path):
    log, begun = tmp_path / "b.log", tmp_path / "begun"
    words = [sys.executable, "-c", CHILD, str(log), str(begun), str(tmp_path / "never")]
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({words})"], cwd=root)
    while not begun.exists():
        assert parent.poll() is None
        time.sleep(0.01)
    lock = (root / lock_of(log)).open()
    parent.kill()
    parent.wait()
    fcntl.flock(lock, fcntl.LOCK_EX)  # until the job has ended
    lock.close()
    assert "stopped by a signal" in log.read_text()
