"""What a part of the training data is made of, as a small file that training depends on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from contigwas.files import PathLike, replacing


def write_lineage(origins: Iterable[PathLike], made_with: Mapping[str, Mapping], output: PathLike) -> None:
    """Write JSON: `origins`, the files from outside with their size in bytes, and `made_with`, settings and a digest of
    the library code of every rule in between. Raises UserError when the disk is full.
    """
    files = [{"path": str(path), "bytes": Path(path).stat().st_size} for path in origins]
    with replacing(output) as temporary:
        temporary.write_text(json.dumps({"origins": files, "made_with": made_with}, indent=1) + "\n")
