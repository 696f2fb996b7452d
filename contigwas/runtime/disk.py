"""Error messages for a disk that is full or not writable."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contigwas.runtime.errors import UserError

RERUN = "then run the same command again"
FULL = {
    errno.ENOSPC: f"the disk is full: free some space there, {RERUN}",
    errno.EDQUOT: f"your disk quota is exceeded: free some space there, {RERUN}",
    errno.EFBIG: f"the file exceeds the maximum file size: raise that limit (ulimit -f), {RERUN}",
}
NOT_WRITABLE = {
    errno.EROFS: "the disk is read-only: mount it for writing, or work in another folder (--directory)",
    errno.EACCES: "you may not write there: change its permissions or owner, or work in another folder (--directory)",
}
NOT_WRITABLE[errno.EPERM] = NOT_WRITABLE[errno.EACCES]
MIN_FREE_BYTES = 1 << 20  # with less Snakemake cannot write its own metadata


@contextmanager
def report_disk_errors(path: str | os.PathLike) -> Iterator[None]:
    """Raise UserError if the block, which writes `path`, fails because the disk is full or not writable.

    If the disk of another file is full (such as one in TMPDIR), the message names the folder of that file instead.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        location, why = path, full(error)
        if why is not None:
            location = _other_folder(error, Path(path)) or path
        else:
            why = _not_writable(error, Path(path))
        if why is None:
            raise
        raise UserError(f"{location} cannot be written, because {why}") from error


def full(error: BaseException | None) -> str | None:
    """Return why there is no space on the disk, with the remedy, or None if this is not the reason of the error.

    Libraries hide the reason: bed-reader omits the error number, HDF5 may raise a RuntimeError that quotes the message,
    and torch raises another error with the original one as its context.
    """
    return next(filter(None, map(_full, _chain(error))), None)


def _full(error: BaseException) -> str | None:
    """Return the message of an error about disk space, without its causes; else None."""
    for number, why in FULL.items():
        has_number = isinstance(error, OSError) and error.errno == number
        if has_number or (isinstance(error, OSError | RuntimeError) and os.strerror(number) in str(error)):
            return why
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _other_folder(error: Exception, path: Path) -> Path | None:
    """Return the folder of the file without space if it is not `path`; the file name may be a sample ID."""
    name = next((_name(one) for one in _chain(error) if _full(one)), None)
    return None if name is None or _belongs(name, path) else name.parent


def _not_writable(error: Exception, path: Path) -> str | None:
    """Return why `path` is not writable; None if the error is about another file, such as an input."""
    name = _name(error)
    return NOT_WRITABLE.get(error.errno) if name is not None and _belongs(name, path) else None


def _name(error: BaseException) -> Path | None:
    """Return the file that an error names; of two files, the one to be written."""
    if not isinstance(error, OSError):
        return None
    name = error.filename if error.filename2 is None else error.filename2
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else None


def _belongs(name: Path, path: Path) -> bool:
    """Return whether `name` is `path`, a parent of it, inside it, or its temporary file or folder."""
    name, path = name.absolute(), path.absolute()
    if name in path.parents:
        return True
    inside = (one for one in (name, *name.parents) if one.parent == path.parent)
    return any(one == path or (one.name.startswith(".") and one.name.endswith(f".{path.name}")) for one in inside)


def require_writable(folders: Iterable[str | os.PathLike]) -> None:
    """Raise UserError for a folder (or its nearest existing parent) that is full or not writable."""
    for folder in folders:
        location = Path(folder).resolve()
        while not location.exists():
            location = location.parent
        found = os.statvfs(location)
        why = None
        if found.f_flag & os.ST_RDONLY:
            why = NOT_WRITABLE[errno.EROFS]
        elif not os.access(location, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            why = NOT_WRITABLE[errno.EACCES]
        elif (
            found.f_blocks and found.f_bavail * found.f_frsize < MIN_FREE_BYTES
        ):  # some network file systems report only zeros
            why = FULL[errno.ENOSPC]
        if why is not None:
            raise UserError(f"{location} cannot be written, because {why}")
