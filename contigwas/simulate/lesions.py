"""One head with a tumour for each sample of a cohort, with the tumour's mask, as files and tables."""

import gzip
import io
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from contigwas.runtime.atomic_files import PathLike, replacing, sweep, write_tsv
from contigwas.simulate.images import FAULTS, choose_faults, remove_others, require_unusable, spoilt
from contigwas.simulate.settings import PROGRAMMES, Lesions
from contigwas.simulate.tumours import render
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)

STREAM = 102  # apart from the streams of the cohort, the photographs and the expression
BATCH = {2: 128, 3: 8}  # heads drawn at once
SUFFIX = {2: "png", 3: "nii.gz"}
WIDTH = 200.0  # millimetres of a volume's side


def simulate_lesions(programmes: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/images/, masks/, images.tsv (iid visit path) and masks.tsv (iid visit path mask).

    `programmes` is what `simulate_expression` wrote, `settings` the config block `simulate` with its block `lesions`.
    Slices are grey PNG, front up, the sample's left on the left; volumes NIfTI (uint8, RAS). Masks hold 1 in the tumour
    and 0 elsewhere. A share `missing_rate` of the samples has no picture; `unusable_images` pictures are black, blank or cut
    off, their masks are whole. File names say nothing about the sample. The same settings and seed give the same bytes.
    Raises UserError when more pictures shall be unusable than there are.
    """
    folder, plan = Path(folder), Lesions.of(settings)
    samples = read_table(programmes, ("iid", *PROGRAMMES), "simulate.folder")

    def stream(*purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, *purpose])

    seen = np.sort(stream(0).permutation(len(samples))[round(plan.missing_rate * len(samples)) :])
    require_unusable(plan.unusable, len(seen))
    traits = samples[list(PROGRAMMES)].to_numpy(np.float64)[seen]
    names = [f"{number:06d}.{SUFFIX[plan.dimensions]}" for number in stream(1).permutation(len(seen))]
    table = pd.DataFrame(
        {"iid": samples["iid"].to_numpy()[seen], "visit": 0, "path": [f"images/{one}" for one in names]}
    )
    table["mask"] = [f"masks/{one}" for one in names]
    faults = choose_faults(plan.unusable, len(seen), 1, stream(2))
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        sweep(folder / part)
    batch = BATCH[plan.dimensions]
    doubled = 0
    with ThreadPoolExecutor(2) as pool:
        for number, start in enumerate(tqdm(range(0, len(table), batch), desc="render", unit="batch", disable=None)):
            rows = range(start, min(start + batch, len(table)))
            pictures, masks, lookalikes = render(traits[rows.start : rows.stop], plan, stream(3, number))
            doubled += int(lookalikes.reshape(len(rows), -1).any(axis=1).sum())
            jobs = [
                pool.submit(_save, folder / table[column][row], values[row - start], fault)
                for row in rows
                for column, values, fault in (("path", pictures, faults.get(row)), ("mask", masks, None))
            ]
            for job in jobs:
                job.result()
    for column in ("path", "mask"):
        remove_others(folder, set(table[column]))
    table = table.sort_values("path", ignore_index=True)
    write_tsv(table, folder / "masks.tsv")
    write_tsv(table.drop(columns="mask"), folder / "images.tsv")
    log.info(
        "%d heads with a tumour (%d samples have none), %d with a lookalike; %d images are unusable: %s",
        len(table), len(samples) - len(seen), doubled, len(faults),
        ", ".join(f"{list(faults.values()).count(one)} {one}" for one in FAULTS),
    )  # fmt: skip


def _save(path: Path, values: np.ndarray, fault: str | None) -> None:
    """Write a picture or mask, uint8 (x, y) as PNG or (x, y, z) as NIfTI, or what a `fault` made of it."""
    values = spoilt(values, fault)
    content = _png(values) if values.ndim == 2 else _nifti(values)
    with replacing(path, crowded=True) as temporary:
        temporary.write_bytes(content[: len(content) // 2] if fault == "truncated" else content)


def _png(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values.T[::-1])).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _nifti(values: np.ndarray) -> bytes:
    size = values.shape[0]
    affine = np.diag([WIDTH / size] * 3 + [1.0])
    affine[:3, 3] = -WIDTH / 2 * (1 - 1 / size)
    # a time in the gzip header would make other bytes at every run
    return gzip.compress(nibabel.Nifti1Image(values, affine).to_bytes(), 1, mtime=0)
