"""A disk that is full, or that may not be written, in one sentence."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contigwas.errors import UserError

AGAIN = "then run the same command again"
FULL = {
    errno.ENOSPC: f"the disk is full: free some space there, {AGAIN}",
    errno.EDQUOT: f"your quota of disk space is used up: free some there, {AGAIN}",
    errno.EFBIG: f"no file may be that large there: lift that limit (ulimit -f), {AGAIN}",
}
CLOSED = {
    errno.EROFS: "the disk is read-only: mount it for writing, or work in another folder (--directory)",
    errno.EACCES: "you may not write there: change its permissions or owner, or work in another folder (--directory)",
}
CLOSED[errno.EPERM] = CLOSED[errno.EACCES]
LEAST = 1 << 20  # bytes: with less Snakemake cannot write its own notes


@contextmanager
def told(path: str | os.PathLike) -> Iterator[None]:
    """Raise UserError where the block fails because the disk of `path`, which it writes, is full or closed."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        why = full(error) or _closed(error, Path(path))
        if why is None:
            raise
        raise UserError(f"{path} cannot be written, because {why}") from error


def full(error: BaseException | None) -> str | None:
    """Why there was no room, with the remedy; None where that is not the reason.

    Libraries hide it: bed-reader gives no number, HDF5 sometimes a RuntimeError that quotes it, torch an error of its
    own in whose context the real one stands.
    """
    while error is not None:
        for number, why in FULL.items():
            known = isinstance(error, OSError) and error.errno == number
            if known or (isinstance(error, OSError | RuntimeError) and os.strerror(number) in str(error)):
                return why
        error = error.__cause__ or error.__context__
    return None


def _closed(error: Exception, path: Path) -> str | None:
    """Not where the block was refused an input."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    name = Path(os.fsdecode(error.filename))
    return CLOSED.get(error.errno) if name in path.parents or path.parent in name.parents else None


def require_writable(folders: Iterable[str | os.PathLike]) -> None:
    """Raise UserError for a folder (its nearest parent where it is not there yet) without room or right to write."""
    for folder in folders:
        place = Path(folder).resolve()
        while not place.exists():
            place = place.parent
        found = os.statvfs(place)
        why = None
        if found.f_flag & os.ST_RDONLY:
            why = CLOSED[errno.EROFS]
        elif not os.access(place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            why = CLOSED[errno.EACCES]
        elif found.f_bavail * found.f_frsize < LEAST:
            why = FULL[errno.ENOSPC]
        if why is not None:
            raise UserError(f"{place} cannot be written, because {why}")
