"""Parts of files that are too large to read whole in seconds."""

import io
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import TypeVar

import numpy as np
from zstandard import ZstdDecompressor

from contigwas.runtime.errors import UserError
from contigwas.tables.text import unpacked

PLACES, SLICE = 24, 2**15  # where a text is looked into, and the bytes that are read there
ZSTD = b"\x28\xb5\x2f\xfd"
Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly spread over them, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def head(path: Path, lines: int, read: Callable) -> object:
    """What `read` makes of the first lines of a text, plain, gzipped or of zstd; its errors name the file itself."""
    with path.open("rb") as raw, unpacked(path) as plain:
        zstd = raw.read(4) == ZSTD
        raw.seek(0)
        file = io.BufferedReader(ZstdDecompressor().stream_reader(raw, read_across_frames=True)) if zstd else plain
        text = b"".join(islice(file, lines))
    return _as_file(path, text, read)


def slices(path: Path, read: Callable) -> object:
    """What `read` makes of whole lines from places all over a plain text, a header at its start included."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = b"".join(takewhile(lambda line: line.startswith(b"#"), file))
        first = len(header)
        file.seek(first)
        if size - first <= PLACES * SLICE:
            return _as_file(path, header + file.read(), read)
        parts = [header]
        for start in np.linspace(first, size - SLICE, PLACES).astype(int):
            file.seek(int(start))
            part = file.read(SLICE)
            begin = 0 if start == first else part.find(b"\n") + 1
            end = len(part) if start + SLICE >= size else part.rfind(b"\n") + 1
            parts.append(part[begin:end])
    return _as_file(path, b"".join(parts), read)


def _as_file(path: Path, text: bytes, read: Callable) -> object:
    suffix = Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(text)
        file.flush()
        try:
            return read(file.name)
        except UserError as error:
            raise UserError(re.sub(rf"{re.escape(file.name)}(, line \d+)?", str(path), str(error))) from None
