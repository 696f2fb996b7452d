"""Read parts of files that are too large to read completely in seconds."""

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

SLICES, SLICE_BYTES = 24, 2**15  # number of slices of a text file, and their size
ZSTD = b"\x28\xb5\x2f\xfd"
Item = TypeVar("Item")


def spread(items: Sequence[Item], maximum: int) -> list[Item]:
    """At most `maximum` items, evenly spaced, including the first and the last."""
    if len(items) <= maximum:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, maximum).round().astype(int)]


def head(path: Path, lines: int, read: Callable) -> object:
    """The result of `read` on the first lines of a text file: plain, gzip or zstd. Its errors name the file itself."""
    with path.open("rb") as raw, unpacked(path) as plain:
        zstd = raw.read(4) == ZSTD
        raw.seek(0)
        file = io.BufferedReader(ZstdDecompressor().stream_reader(raw, read_across_frames=True)) if zstd else plain
        text = b"".join(islice(file, lines))
    return _as_file(path, text, read)


def slices(path: Path, read: Callable) -> object:
    """The result of `read` on the header and on complete lines of slices spread over a plain text file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = b"".join(takewhile(lambda line: line.startswith(b"#"), file))
        first = len(header)
        file.seek(first)
        if size - first <= SLICES * SLICE_BYTES:
            return _as_file(path, header + file.read(), read)
        parts = [header]
        for start in np.linspace(first, size - SLICE_BYTES, SLICES).astype(int):
            file.seek(int(start))
            part = file.read(SLICE_BYTES)
            begin = 0 if start == first else part.find(b"\n") + 1
            end = len(part) if start + SLICE_BYTES >= size else part.rfind(b"\n") + 1
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
