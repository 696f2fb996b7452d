"""Search for IIDs of a cohort in the files of a run: text, figures, tables and arrays."""

import base64
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

TEXTS = {".html", ".log", ".tsv", ".csv", ".txt", ".json", ".yaml", ".ready", ".svg", ".rst", ".md"}
# files that contain IIDs by design (docs/privacy.md); all others must not contain IIDs
SAMPLES = (
    "samples/candidates.tsv",
    "samples/cohort.tsv",
    "genotypes/*.parquet",
    "genotypes/missing/*.parquet",
    "modalities/*.h5ad",
    "images/images.parquet",
    "models/*/embeddings.h5ad",
    "models/*/fold*/embeddings.h5ad",
    "models/*/phenotypes.parquet",
    "models/*/covariates.parquet",
)


def searched(results: Path) -> list[Path]:
    """Return the files that must not contain IIDs: all but private files, training states, and the files above."""
    spared = {path for pattern in SAMPLES for path in results.glob(pattern)}
    outside = {"private", "scratch"}
    return sorted(
        path
        for path in results.rglob("*")
        if path.is_file() and path not in spared and path.relative_to(results).parts[0] not in outside
    )


def named(paths: Iterable[Path], iids: Iterable[str]) -> list[tuple[Path, int]]:
    """Return the files with some of `iids` in their content or path, and the number of these IIDs."""
    known = set(map(str, iids))
    lengths = {len(one) for one in known}
    digits = len(lengths) == 1 and all(one.isdigit() for one in known)
    found = []
    for path in paths:
        count = 0
        for text in [str(path), *words(path)]:
            # digits of the same number, also within a word, but not the decimals of a number
            here = set(re.findall(rf"(?<![\d.])\d{{{min(lengths)}}}(?!\d)", text)) if digits else set()
            count += len(here & known) if digits else sum(one in text for one in known)
        if count:
            found.append((path, count))
    return found


def words(path: Path) -> Iterator[str]:
    """Return the text of a file, also if it is compressed or encoded.

    As it is; in the streams and strings of a PDF; beside a picture's pixels; in text columns and arrays of text; in
    what a page embeds.
    """
    raw = path.read_bytes()
    if path.suffix == ".pdf":
        yield raw.decode("latin-1")
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL):
            yield from of_stream(stream)
    elif path.suffix in (".png", ".webp", ".jpg"):
        yield beside_pixels(raw)
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema) + repr(table.schema.metadata)
        for name in table.column_names:
            column = table[name].to_pandas()
            if not pd.api.types.is_numeric_dtype(column):
                yield "\n".join(map(str, column.unique()))
    elif path.suffix in (".npz", ".npy"):
        yield from of_arrays(raw)
    elif path.suffix in (".h5ad", ".h5"):
        with h5py.File(path) as file:
            yield from of_hdf5(file)
    elif path.suffix in TEXTS:
        text = raw.decode("utf-8", errors="replace")
        yield text
        yield from embedded(text)
    else:
        yield raw.decode("latin-1")


def beside_pixels(raw: bytes) -> str:
    """Return the metadata of an image."""
    with Image.open(io.BytesIO(raw)) as image:
        return repr({**image.info, **dict(image.getexif())})


def of_arrays(raw: bytes) -> Iterator[str]:
    """Return the text arrays of an .npz or .npy file, and the names of all arrays."""
    read = np.load(io.BytesIO(raw), allow_pickle=False)
    for name, array in {"": read}.items() if isinstance(read, np.ndarray) else read.items():
        yield f"{name} {array.dtype}"
        if array.dtype.kind in "US":
            yield "\n".join(map(as_text, array.ravel().tolist()))


def of_hdf5(group: h5py.Group) -> Iterator[str]:
    """Return the names, attributes and text of all objects in an HDF5 group."""
    yield repr(dict(group.attrs))
    for name, one in group.items():
        yield name
        if isinstance(one, h5py.Group):
            yield from of_hdf5(one)
            continue
        yield repr(dict(one.attrs))
        if one.dtype.kind in "OS":
            yield "\n".join(map(as_text, np.ravel(one[()])))


def as_text(value: str | bytes) -> str:
    """Return a string of an array."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def embedded(page: str) -> Iterator[str]:
    """Return the text of the data URIs of a page: its downloads, and the metadata of its images."""
    for kind, data in re.findall(r"data:([\w/+.-]*)[^,\"']*;base64,([A-Za-z0-9+/=]+)", page):
        raw = base64.b64decode(data)
        picture = kind.startswith("image/") and "svg" not in kind
        yield beside_pixels(raw) if picture else raw.decode("utf-8", errors="replace")


def of_stream(stream: bytes) -> Iterator[str]:
    """Return a PDF stream and its strings, which have two bytes per character and are split by kerning."""
    try:
        text = zlib.decompress(stream).decode("latin-1").replace("\0", "")
    except zlib.error:
        return
    yield text
    for array in re.findall(r"\[((?:[^\]\\]|\\.)*)\]\s*TJ", text):
        yield "".join(re.findall(r"\(((?:[^()\\]|\\.)*)\)", array))
