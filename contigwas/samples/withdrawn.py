"""The list of withdrawn participants."""

from pathlib import Path

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require


def read_withdrawn(path: PathLike) -> set[str]:
    """Read the IIDs of `samples.withdrawn`: one per line, optionally quoted and with a header `iid`.

    Raises UserError when the file is missing or a line has more than one column.
    """
    lines = Path(require(path, "samples.withdrawn")).read_text(encoding="utf-8-sig").splitlines()
    iids = set()
    for number, line in enumerate(lines, 1):
        words = line.replace('"', " ").replace(",", " ").split()
        if len(words) > 1:
            raise UserError(f"{path}, line {number} has {len(words)} columns. Write one IID per line.")
        if words and not (number == 1 and words[0].lower() == "iid"):
            iids.add(words[0])
    return iids
