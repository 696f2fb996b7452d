"""A digest of the image files that a table lists: their paths, sizes and modification times."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table


def table_digest(table: PathLike, columns: Sequence[str] = ("path",), pattern: str = "{id}") -> str | None:
    """The `files_digest` of the paths in some columns of a table, which are relative to the table's folder.

    In `pattern`, `{id}` is replaced by a value of the columns. Columns that the table does not have are skipped. None
    if the table cannot be read: the stage that reads it reports the reason.
    """
    try:
        read = read_table(table)
    except (OSError, UserError, ValueError):
        return None
    wanted, folder = {one.lower() for one in columns}, Path(table).parent
    named = [name for name in read.columns if str(name).lower() in wanted]
    return files_digest(folder / pattern.replace("{id}", str(value)) for name in named for value in read[name])


def files_digest(paths: Iterable[PathLike]) -> str:
    """24 hex digits of the paths, sizes and modification times of some files. A missing file is one state of a file."""
    digest = blake2b(digest_size=12)
    for path in paths:
        try:
            status = Path(path).stat()
            state = f"{status.st_size}\0{status.st_mtime_ns}"
        except (OSError, ValueError):
            state = "missing"
        digest.update(f"{path}\0{state}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()
