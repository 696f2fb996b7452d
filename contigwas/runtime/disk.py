"""A disk that is full, or that may not be written, in one sentence."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contigwas.runtime.errors import UserError

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
def reported(path: str | os.PathLike) -> Iterator[None]:
    """Raise UserError where the block fails because the disk of `path`, which it writes, is full or closed.

    Where the error names a file elsewhere, on a disk that is full (of TMPDIR, say), its folder is reported instead.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        place, why = path, full(error)
        if why is not None:
            place = _elsewhere(error, Path(path)) or path
        else:
            why = _closed(error, Path(path))
        if why is None:
            raise
        raise UserError(f"{place} cannot be written, because {why}") from error


def full(error: BaseException | None) -> str | None:
    """Why there was no room, with the remedy; None where that is not the reason.

    Libraries hide it: bed-reader gives no number, HDF5 sometimes a RuntimeError that quotes it, torch an error of its
    own in whose context the real one stands.
    """
    return next(filter(None, map(_full, _chain(error))), None)


def _full(error: BaseException) -> str | None:
    for number, why in FULL.items():
        known = isinstance(error, OSError) and error.errno == number
        if known or (isinstance(error, OSError | RuntimeError) and os.strerror(number) in str(error)):
            return why
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _elsewhere(error: Exception, path: Path) -> Path | None:
    """The folder of the file that had no room, where it is not of `path`; only the folder, a name may be a sample's."""
    name = next((_name(one) for one in _chain(error) if _full(one)), None)
    return None if name is None or _belongs(name, path) else name.parent


def _closed(error: Exception, path: Path) -> str | None:
    """Not where the block was refused an input."""
    name = _name(error)
    return CLOSED.get(error.errno) if name is not None and _belongs(name, path) else None


def _name(error: BaseException) -> Path | None:
    """The file that an error names, of two the one that was to be written."""
    if not isinstance(error, OSError):
        return None
    name = error.filename if error.filename2 is None else error.filename2
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else None


def _belongs(name: Path, path: Path) -> bool:
    """Whether it is `path`, one of its folders, something inside it, or its temporary file or folder beside it."""
    name, path = name.absolute(), path.absolute()
    if name in path.parents:
        return True
    inside = (one for one in (name, *name.parents) if one.parent == path.parent)
    return any(one == path or (one.name.startswith(".") and one.name.endswith(f".{path.name}")) for one in inside)


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
        elif found.f_blocks and found.f_bavail * found.f_frsize < LEAST:  # some network disks give zeros only
            why = FULL[errno.ENOSPC]
        if why is not None:
            raise UserError(f"{place} cannot be written, because {why}")
