"""The list of the participants who withdrew."""

from pathlib import Path

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require


def read_withdrawn(path: PathLike) -> set[str]:
    """The IIDs of `samples.withdrawn`, one a line, perhaps under a header `iid`, perhaps quoted.

    Raises UserError for a line of several columns.
    """
    lines = Path(require(path, "samples.withdrawn")).read_text(encoding="utf-8-sig").splitlines()
    gone = set()
    for number, line in enumerate(lines, 1):
        words = line.replace('"', " ").replace(",", " ").split()
        if len(words) > 1:
            raise UserError(f"{path}, line {number} has {len(words)} columns: write one IID a line")
        if words and not (number == 1 and words[0].lower() == "iid"):
            gone.add(words[0])
    return gone
