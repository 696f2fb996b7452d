"""What a rule's adapter wraps around its one library call: the rule's log, one-sentence errors, math threads."""

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
from contigwas.runtime.memory import MORE, short

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
LOCKS = Path(".snakemake/contigwas")  # no results, and Snakemake, which removes a job's log, leaves it alone
STOPPED = "stopped by a signal: the same command resumes from here"
SELF = Path(__file__).resolve()
PACKAGE = SELF.parents[1]


@contextmanager
def job(log: str | os.PathLike, math_threads: int | None = None) -> Iterator[None]:
    """Run one stage: log to `log`, limit BLAS and torch to `math_threads`, end what a user can fix in one sentence.

    A `UserError`, a full disk, too little memory and an interrupt are logged and printed to stderr in one sentence,
    then the process exits with a status that is not 0. Any other exception is written to the log with its traceback
    and raised again. SIGTERM unwinds the stage, so that nothing half-written stays; the death of the Snakemake that
    started it counts as one. A job that another process is still at waits for that one to end.
    """
    log = Path(log)
    # of processes that train together the first one tells; all append, or they would write over each other's lines
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    with _stopped_by_sigterm(), _own_log(log, first) as lock:
        try:
            if math_threads is None:
                yield
            else:
                if "torch" in sys.modules:
                    sys.modules["torch"].set_num_threads(math_threads)
                with threadpool_limits(math_threads):
                    yield
        except UserError as error:
            _end(str(error), cause=error, lock=lock)
        except KeyboardInterrupt:
            _end(STOPPED, 128 + signal.SIGINT)
        except Exception as error:
            if why := disk.full(error):
                _end(f"the job cannot write, because {why}", cause=error, lock=lock)
            if short(error):
                _end(f"the job ran out of memory ({_where(error)}): {MORE}")
            logging.getLogger("contigwas").exception("the stage failed")
            raise
        finally:
            gc.freeze()  # spares half a second at the end, in which Python would look through every object of torch


@contextmanager
def _own_log(log: Path, first: bool) -> Iterator[TextIO | None]:
    """Set up logging to `log`; yield the lock of the job, None where this process is not the first."""
    try:
        with disk.reported(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            lock = _only_one(log) if first else None
            if first:
                log.write_bytes(b"")
            handler = _File(log)
    except UserError as error:
        sys.exit(_said(str(error)))
    except KeyboardInterrupt:
        _said(STOPPED)
        sys.exit(128 + signal.SIGINT)
    logging.basicConfig(level=logging.WARNING, format=FORMAT, force=True, handlers=[handler])
    ours = logging.getLogger("contigwas")
    ours.setLevel(logging.INFO if first else logging.WARNING)
    logging.captureWarnings(True)
    ours.info("process %d", os.getpid())
    before = sys.excepthook, sys.unraisablehook
    # HDF5 complains again, through Cython and through Python, for everything that it closes on a full disk
    sys.excepthook = lambda *error: disk.full(error[1]) or before[0](*error)
    sys.unraisablehook = lambda what: disk.full(what.exc_value) or before[1](what)
    try:
        yield lock
    finally:
        sys.excepthook, sys.unraisablehook = before
        if lock is not None:
            _release(lock)


def lock_of(log: str | os.PathLike) -> Path:
    """The file that a job with this log locks while it runs, relative to the folder that it runs in."""
    return LOCKS / f"{blake2b(os.fsencode(log), digest_size=12).hexdigest()}.lock"


def _only_one(log: Path) -> TextIO:
    """The lock of the job, held until `_release`; waits for a process that holds it.

    Jobs may outlive a Snakemake that was killed. The next one starts such a job again, and two processes would save
    their training in one place.
    """
    path, reported = lock_of(log), False
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.absolute().open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not reported:
                _said(_waiting(file, path))
                reported = True
            file.close()
            time.sleep(1)  # asked again by name, so that removing the file helps where its holder cannot let go
            continue
        except OSError:
            pass  # a file system without locks
        if _is_there(file, path):
            break
        file.close()  # its last holder removed it meanwhile: the lock of a file that nobody else will open
    file.truncate(0)
    file.write(f"{os.getpid()} {socket.gethostname()}")
    file.flush()
    return file


def _waiting(file: TextIO, path: Path) -> str:
    file.seek(0)
    process, _, host = file.read().partition(" ")
    which = f"process {process} on {host}" if host else "another process"
    return (
        f"{which}, of a Snakemake that was killed, is still at this job: waiting until it ends, or you end it; if that "
        f"machine is gone, remove {path}"
    )


def _is_there(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _release(file: TextIO) -> None:
    """Remove the file while it is locked, then let go: whoever waits finds that it is another one now."""
    with suppress(OSError):
        if _is_there(file, Path(file.name)):
            Path(file.name).unlink()
    file.close()


class _File(logging.FileHandler):
    """A line that has no room on the disk is lost without a traceback: the stage's files will tell."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is None or disk.full(error) is None:
            super().handleError(record)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM unwinds the block, which removes its temporary files; it also comes where the parent dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(sentence: str, status: int = 1, cause: Exception | None = None, lock: TextIO | None = None) -> NoReturn:
    logging.getLogger("contigwas").error("%s", sentence)
    behind = cause.__cause__ if isinstance(cause, UserError) else cause
    if behind is not None:
        # without the message, which may quote a sample's row, and in a line, as Snakemake prints the log of what failed
        logging.getLogger("contigwas").info("behind it: %s, %s", type(behind).__name__, " < ".join(places(behind)))
    _said(sentence)
    if cause is not None and disk.full(cause) and "h5py" in sys.modules:
        logging.shutdown()
        if lock is not None:
            _release(lock)
        os._exit(status)  # HDF5 crashes where Python frees a file whose last bytes had no room
    sys.exit(status)


def _said(sentence: str) -> int:
    print(f"contigwas: {sentence}", file=sys.stderr, flush=True)
    return 1


def _where(error: BaseException) -> str:
    """The last line of ours that an error passed."""
    places = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    ours = [(path, line) for path, line in places if path.is_relative_to(PACKAGE) and path != SELF]
    return f"{ours[-1][0].relative_to(PACKAGE.parent)}, line {ours[-1][1]}" if ours else "in its script"


def places(error: BaseException) -> list[str]:
    """The lines that an error passed, the last first; of others' files the two last parts of their path."""
    return [
        f"{'/'.join(Path(one.filename).parts[-2:])}:{one.lineno}"
        for one in reversed(traceback.extract_tb(error.__traceback__))
    ]
