"""Write one simulated head with a tumour and its mask per sample of a cohort, with tables."""

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
from contigwas.simulate.images import FAULTS, apply_fault, choose_faults, remove_stale_images, require_unusable
from contigwas.simulate.settings import PROGRAMMES, Lesions
from contigwas.simulate.tumours import render
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)

STREAM = 102  # keeps the random numbers apart from those of cohort, photographs and expression
BATCH = {2: 128, 3: 8}  # heads per batch
SUFFIX = {2: "png", 3: "nii.gz"}
WIDTH = 200.0  # side length of a volume in millimetres


def simulate_lesions(programmes: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/images/, masks/, images.tsv (iid visit path) and masks.tsv (iid visit path mask).

    `programmes` is the table that `simulate_expression` wrote, `settings` the config block `simulate` with its block
    `lesions`. Slices are grey PNG files with the front up and the left side on the left. Volumes are NIfTI files
    (uint8, RAS). Masks are 1 in the tumour and 0 elsewhere. A share `missing_rate` of the samples has no image.
    `unusable_images` images are black, blank or truncated, but their masks are intact. File names are independent of
    the sample. The same settings and seed give identical files. Raises UserError when `unusable_images` exceeds the
    number of images.
    """
    folder, plan = Path(folder), Lesions.of(settings)
    samples = read_table(programmes, ("iid", *PROGRAMMES), "simulate.folder")

    def stream(*purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, *purpose])

    imaged = np.sort(stream(0).permutation(len(samples))[round(plan.missing_rate * len(samples)) :])
    require_unusable(plan.unusable, len(imaged))
    traits = samples[list(PROGRAMMES)].to_numpy(np.float64)[imaged]
    names = [f"{number:06d}.{SUFFIX[plan.dimensions]}" for number in stream(1).permutation(len(imaged))]
    table = pd.DataFrame(
        {"iid": samples["iid"].to_numpy()[imaged], "visit": 0, "path": [f"images/{name}" for name in names]}
    )
    table["mask"] = [f"masks/{name}" for name in names]
    faults = choose_faults(plan.unusable, len(imaged), 1, stream(2))
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        sweep(folder / part)
    batch = BATCH[plan.dimensions]
    n_with_lookalike = 0
    with ThreadPoolExecutor(2) as pool:
        for number, start in enumerate(tqdm(range(0, len(table), batch), desc="render", unit="batch", disable=None)):
            rows = range(start, min(start + batch, len(table)))
            pictures, masks, lookalikes = render(traits[rows.start : rows.stop], plan, stream(3, number))
            n_with_lookalike += int(lookalikes.reshape(len(rows), -1).any(axis=1).sum())
            jobs = [
                pool.submit(_save, folder / table[column][row], values[row - start], fault)
                for row in rows
                for column, values, fault in (("path", pictures, faults.get(row)), ("mask", masks, None))
            ]
            for job in jobs:
                job.result()
    for column in ("path", "mask"):
        remove_stale_images(folder, set(table[column]))
    table = table.sort_values("path", ignore_index=True)
    write_tsv(table, folder / "masks.tsv")
    write_tsv(table.drop(columns="mask"), folder / "images.tsv")
    log.info(
        "%d heads with a tumour (%d samples have none), %d with a lookalike; %d images are unusable: %s",
        len(table), len(samples) - len(imaged), n_with_lookalike, len(faults),
        ", ".join(f"{list(faults.values()).count(fault)} {fault}" for fault in FAULTS),
    )  # fmt: skip


def _save(path: Path, values: np.ndarray, fault: str | None) -> None:
    """Write an image or mask, uint8 (x, y) as PNG or (x, y, z) as NIfTI, with its fault."""
    values = apply_fault(values, fault)
    content = _png(values) if values.ndim == 2 else _nifti(values)
    with replacing(path, crowded=True) as temporary:
        temporary.write_bytes(content[: len(content) // 2] if fault == "truncated" else content)


def _png(values: np.ndarray) -> bytes:
    """Encode a slice (x, y) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values.T[::-1])).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _nifti(values: np.ndarray) -> bytes:
    """Encode a volume (x, y, z) as compressed NIfTI."""
    size = values.shape[0]
    affine = np.diag([WIDTH / size] * 3 + [1.0])
    affine[:3, 3] = -WIDTH / 2 * (1 - 1 / size)
    # without a time in the gzip header, reruns give identical files
    return gzip.compress(nibabel.Nifti1Image(values, affine).to_bytes(), 1, mtime=0)
