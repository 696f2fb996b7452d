"""Pair real photographs at random with real genotypes of other samples, for tests.

Such a pairing has no associations, unless one SNP is planted. This SNP then shifts the colour of the photographs.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from contigwas.genotypes.files import describe_files
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.images.fundus import find_field
from contigwas.runtime.atomic_files import PathLike, replacing, sweep, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import MISSING

log = logging.getLogger(__name__)

STREAM = 200  # keeps the random numbers apart from those of the simulations
KINDS = {".jpg", ".jpeg", ".png"}
MAX_HEIGHT = 480  # pixels, of modified photographs


def pair(
    genotype_files: GenotypeFiles,
    photographs: PathLike,
    folder: PathLike,
    planted: Mapping | None,
    chromosomes: Sequence[object],
    seed: int,
) -> None:
    """Write `folder`/images.tsv (iid, eye, visit, path), which assigns one random photograph to each sample.

    `genotype_files` are the genotypes of `chromosomes`. With `planted` (keys `variant`,
    an ID in the genotypes, and `shift`, in levels of 255), every paired photograph is written into `folder`/images.
    Within the field of view, `shift` per effect allele is added to red and subtracted from blue, and the result is
    clipped. Photographs of non-carriers are also written, so that files differ only in colour. Photographs of samples
    without a call are not shifted, and are counted. The pairing does not depend on `planted`. Raises UserError when
    there is no photograph, or the variant is missing or its ID is duplicated.
    """
    folder = Path(folder)
    iids = open_genotypes(genotype_files, chromosomes[0]).samples["iid"].to_numpy()
    photograph_paths = _photographs(Path(photographs))
    rng = np.random.default_rng([seed, STREAM])
    pairs = min(len(iids), len(photograph_paths))
    samples, chosen = rng.permutation(len(iids))[:pairs], rng.permutation(len(photograph_paths))[:pairs]
    log.info("random pairing: %d of %d samples with %d of %d photographs",
             pairs, len(iids), pairs, len(photograph_paths))  # fmt: skip
    sources = [photograph_paths[number] for number in chosen]
    if planted is None:
        paths = [os.path.relpath(source.resolve(), folder.resolve()) for source in sources]
    else:
        alleles = _effect_alleles(genotype_files, chromosomes, str(planted["variant"]))[samples]
        paths = [f"images/{number:06d}.jpg" for number in rng.permutation(pairs)]
        sweep(folder / "images")
        _write_shifted(sources, [folder / path for path in paths], alleles, float(planted["shift"]))
    table = pd.DataFrame({"iid": iids[samples], "eye": "unknown", "visit": 0, "path": paths})
    write_tsv(table.sort_values("path", ignore_index=True), folder / "images.tsv")


def _photographs(folder: Path) -> list[Path]:
    """List the photographs of a folder. Raises UserError when there is none."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in KINDS) if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} contains no .jpg or .png file. Correct pairing.photographs in the config.")
    return found


def _effect_alleles(genotype_files: GenotypeFiles, chromosomes: Sequence[object], variant: str) -> np.ndarray:
    """Read the effect-allele counts of a variant, -127 where missing, in the order of the file: int8 (samples,).

    Raises UserError when the variant is missing or its ID is duplicated.
    """
    for chrom in chromosomes:
        genotypes = open_genotypes(genotype_files, chrom)
        rows = np.flatnonzero(genotypes.variants["id"] == variant)
        if len(rows) > 1:
            raise UserError(
                f"{genotypes.path}: {variant} is the ID of {len(rows)} variants. Use another one in pairing.planted."
            )
        if len(rows):
            alleles = genotypes.read(rows)[:, 0]
            called = alleles[alleles != MISSING]
            log.info("planted %s on chromosome %s: effect allele %s, frequency %.3f, %d missing calls",
                     variant, chrom, genotypes.variants["effect_allele"][rows[0]], called.mean() / 2
                     if len(called) else 0, len(alleles) - len(called))  # fmt: skip
            return alleles
    names = ", ".join(map(str, chromosomes))
    raise UserError(
        f"{describe_files(genotype_files)} has no variant {variant} on chromosomes {names}. Correct "
        "pairing.planted.variant in the config."
    )


def _write_shifted(sources: list[Path], targets: list[Path], alleles: np.ndarray, shift: float) -> None:
    """Write photographs with their colour shifted by `shift` per allele."""
    missing = int((alleles == MISSING).sum())
    if missing:
        log.warning("%d of %d photographs are not shifted, because their sample has no call", missing, len(alleles))
    amounts = np.where(alleles == MISSING, 0, alleles) * shift
    with ThreadPoolExecutor(2) as pool:
        jobs = pool.map(_shift_file, sources, targets, amounts.tolist())
        clipped = list(tqdm(jobs, total=len(sources), desc="pair", unit="photograph", disable=None))
    shifted = amounts != 0
    log.info(
        "%d photographs shifted by %g levels per allele; %.1f %% of their pixels were clipped",
        int(shifted.sum()), shift, 100 * float(np.mean(np.array(clipped)[shifted])) if shifted.any() else 0.0,
    )  # fmt: skip


def _shift_file(source: Path, target: Path, amount: float) -> float:
    """Write `source` shifted by `amount` levels as a high-quality JPEG; return the share of clipped pixels."""
    try:
        with Image.open(source) as image:
            image = image.convert("RGB")
    except OSError:
        raise UserError(f"{source} cannot be read as a photograph. Fix it or remove it from the folder.") from None
    if image.height > MAX_HEIGHT:
        image = image.resize((round(image.width * MAX_HEIGHT / image.height), MAX_HEIGHT), Image.Resampling.LANCZOS)
    shifted, clipped = shift_colour(np.asarray(image), amount)
    with replacing(target, crowded=True) as temporary:
        Image.fromarray(shifted).save(temporary, "JPEG", quality=95, subsampling=0)
    return clipped


def shift_colour(photograph: np.ndarray, amount: float) -> tuple[np.ndarray, float]:
    """Add `amount` levels to red and subtract them from blue within the field of view of `photograph` (h, w, 3), uint8.

    Returns the modified copy, and the share of pixels in the field of view that were clipped to 0 to 255 in either
    channel. Without a dark surround, the field of view is the whole photograph.
    """
    field = find_field(photograph.mean(axis=2))
    inside = np.ones(photograph.shape[:2], dtype=bool)
    if field is not None:
        down, across = np.indices(inside.shape) + 0.5
        inside = np.hypot(across - field.x, down - field.y) <= field.radius
    values = photograph.astype(np.float64)
    values[inside, 0] += amount
    values[inside, 2] -= amount
    outside_range = ((values < 0) | (values > 255)).any(axis=2)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8), float(outside_range[inside].mean())
