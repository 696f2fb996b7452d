"""Context of a job: the log of the rule, one-sentence errors, one process per job, and math threads."""

import ctypes
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import NoReturn, TextIO

from threadpoolctl import threadpool_limits

from contigwas.runtime import disk
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import MORE_MEMORY, is_out_of_memory

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>
LOCK_FOLDER = Path(".snakemake/contigwas")  # not next to the log, which Snakemake removes
STOPPED_MESSAGE = "stopped by a signal: run the same command again to resume"
THIS_FILE = Path(__file__).resolve()
PACKAGE = THIS_FILE.parents[1]


@contextmanager
def job(log: str | os.PathLike, math_threads: int | None = None) -> Iterator[None]:
    """Run one stage with its log in `log` and with BLAS and torch limited to `math_threads` threads.

    A `UserError`, a full disk, too little memory and an interrupt are logged and printed to stderr in one sentence,
    and the process exits with a status other than 0. Any other exception is logged with its traceback and raised again.
    SIGTERM, or the end of the parent Snakemake process, interrupts the stage, so that temporary files are removed. If
    another process still runs the same job, this one waits until it ends.
    """
    log = Path(log)
    # In distributed training only the first process logs at level INFO. All processes append to the same file.
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    with _interrupt_on_sigterm(), _job_log(log, first) as lock:
        try:
            if math_threads is None:
                yield
            else:
                if "torch" in sys.modules:
                    sys.modules["torch"].set_num_threads(math_threads)
                with threadpool_limits(math_threads):
                    yield
        except UserError as error:
            _exit_with(str(error), cause=error, lock=lock)
        except KeyboardInterrupt:
            _exit_with(STOPPED_MESSAGE, 128 + signal.SIGINT)
        except Exception as error:
            if why := disk.full(error):
                _exit_with(f"the job cannot write, because {why}", cause=error, lock=lock)
            if is_out_of_memory(error):
                _exit_with(f"the job ran out of memory ({_last_line_in_package(error)}): {MORE_MEMORY}")
            logging.getLogger("contigwas").exception("the stage failed")
            raise
        finally:
            gc.freeze()  # saves half a second at exit, in which Python would visit every object of torch


@contextmanager
def _job_log(log: Path, first: bool) -> Iterator[TextIO | None]:
    """Set up logging to `log`; yield the lock of the job, or None if this is not the first process."""
    try:
        with disk.report_disk_errors(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            lock = _acquire_lock(log) if first else None
            if first:
                log.write_bytes(b"")
            handler = _LogFile(log)
    except UserError as error:
        sys.exit(_print_error(str(error)))
    except KeyboardInterrupt:
        _print_error(STOPPED_MESSAGE)
        sys.exit(128 + signal.SIGINT)
    logging.basicConfig(level=logging.WARNING, format=FORMAT, force=True, handlers=[handler])
    logger = logging.getLogger("contigwas")
    logger.setLevel(logging.INFO if first else logging.WARNING)
    logging.captureWarnings(True)
    logger.info("process %d", os.getpid())
    previous = sys.excepthook, sys.unraisablehook
    # On a full disk HDF5 raises further errors, through Cython and Python, for everything that it closes.
    sys.excepthook = lambda *error: disk.full(error[1]) or previous[0](*error)
    sys.unraisablehook = lambda what: disk.full(what.exc_value) or previous[1](what)
    try:
        yield lock
    finally:
        sys.excepthook, sys.unraisablehook = previous
        if lock is not None:
            _release(lock)


def lock_of(log: str | os.PathLike) -> Path:
    """Return the lock file of the job with this log, relative to the working directory."""
    return LOCK_FOLDER / f"{blake2b(os.fsencode(log), digest_size=12).hexdigest()}.lock"


def _acquire_lock(log: Path) -> TextIO:
    """Acquire the lock of the job, which is held until `_release`; wait for a process that holds it.

    Jobs may outlive a Snakemake process that was killed. The next Snakemake starts such a job again, and without the
    lock two processes would write the same training state.
    """
    path, reported_waiting = lock_of(log), False
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.absolute().open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not reported_waiting:
                _print_error(_waiting_message(file, path))
                reported_waiting = True
            file.close()
            time.sleep(1)  # The file is opened again by name, so that users can remove it if its process hangs.
            continue
        except OSError:
            pass  # the file system does not support locks
        if _still_exists(file, path):
            break
        file.close()  # its last holder has removed it, so that no other process can lock this file
    file.truncate(0)
    file.write(f"{os.getpid()} {socket.gethostname()}")
    file.flush()
    return file


def _waiting_message(file: TextIO, path: Path) -> str:
    """Return the message about the process that holds the lock."""
    file.seek(0)
    process, _, host = file.read().partition(" ")
    which = f"process {process} on {host}" if host else "another process"
    return (
        f"{which}, started by a Snakemake that was killed, still runs this job: waiting until it ends or you stop it; "
        f"if that machine is down, remove {path}"
    )


def _still_exists(file: TextIO, path: Path) -> bool:
    """Return whether `path` is still the open `file`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _release(file: TextIO) -> None:
    """Remove the lock file while it is locked, then close it; a waiting process notices that it was removed."""
    with suppress(OSError):
        if _still_exists(file, Path(file.name)):
            Path(file.name).unlink()
    file.close()


class _LogFile(logging.FileHandler):
    """Log file that drops lines without a traceback if the disk is full; the files of the stage raise the error."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is None or disk.full(error) is None:
            super().handleError(record)


@contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt inside the block; on Linux also send it if the parent process dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _exit_with(sentence: str, status: int = 1, cause: Exception | None = None, lock: TextIO | None = None) -> NoReturn:
    """Log and print `sentence`, then exit with `status`."""
    logging.getLogger("contigwas").error("%s", sentence)
    underlying = cause.__cause__ if isinstance(cause, UserError) else cause
    if underlying is not None:
        # Without the message, which may quote the row of a sample, and in one line, because Snakemake prints this log.
        logging.getLogger("contigwas").info(
            "underlying error: %s, %s", type(underlying).__name__, " < ".join(places(underlying))
        )
    _print_error(sentence)
    if cause is not None and disk.full(cause) and "h5py" in sys.modules:
        logging.shutdown()
        if lock is not None:
            _release(lock)
        os._exit(status)  # HDF5 crashes when Python closes a file that could not be written completely
    sys.exit(status)


def _print_error(sentence: str) -> int:
    """Print `sentence` to stderr and return the exit status 1."""
    print(f"contigwas: {sentence}", file=sys.stderr, flush=True)
    return 1


def _last_line_in_package(error: BaseException) -> str:
    """Return the last line of this package in the traceback of an error."""
    places = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    logger = [(path, line) for path, line in places if path.is_relative_to(PACKAGE) and path != THIS_FILE]
    return f"{logger[-1][0].relative_to(PACKAGE.parent)}, line {logger[-1][1]}" if logger else "in its script"


def places(error: BaseException) -> list[str]:
    """Return the lines in the traceback of an error, the last one first, each with the last two parts of its path."""
    return [
        f"{'/'.join(Path(one.filename).parts[-2:])}:{one.lineno}"
        for one in reversed(traceback.extract_tb(error.__traceback__))
    ]
