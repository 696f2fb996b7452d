"""Real photographs paired at random with real genotypes of other samples: an artificial pairing, for tests.

Nothing is to be found in such a pairing, unless one SNP is planted in it: it then shifts the colour of a photograph.
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

STREAM = 200  # apart from the other streams of random numbers of `simulate`
KINDS = {".jpg", ".jpeg", ".png"}
HEIGHT = 480  # pixels, of altered photographs at most


def pair(
    genotype_files: GenotypeFiles,
    photographs: PathLike,
    folder: PathLike,
    planted: Mapping | None,
    chromosomes: Sequence[object],
    seed: int,
) -> None:
    """Write `folder`/images.tsv (iid, eye, visit, path), which gives samples one photograph each at random.

    `genotype_files` are the genotypes of `chromosomes`. With `planted` (keys `variant`, an id in
    the genotypes, and `shift`, levels of 255), every paired photograph is written again into `folder`/images: within
    its field of view `shift` is added to red and taken from blue for each effect allele, and the result is clipped.
    Photographs of samples that carry none are written again too, so that only colour tells the genotype; so are those
    of samples that were not called, unshifted and counted. The pairing does not depend on `planted`. Raises UserError
    when there is no photograph or the variant is not in the genotypes.
    """
    folder = Path(folder)
    iids = open_genotypes(genotype_files, chromosomes[0]).samples["iid"].to_numpy()
    pictures = _photographs(Path(photographs))
    rng = np.random.default_rng([seed, STREAM])
    pairs = min(len(iids), len(pictures))
    samples, chosen = rng.permutation(len(iids))[:pairs], rng.permutation(len(pictures))[:pairs]
    log.info("artificial pairing: %d of %d samples with %d of %d photographs, at random",
             pairs, len(iids), pairs, len(pictures))  # fmt: skip
    sources = [pictures[one] for one in chosen]
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
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in KINDS) if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} holds no .jpg or .png file: correct pairing.photographs in the config")
    return found


def _effect_alleles(genotype_files: GenotypeFiles, chromosomes: Sequence[object], variant: str) -> np.ndarray:
    """Copies of the effect allele, -127 where not called, for everyone in the order of the file: int8 (samples,)."""
    for chrom in chromosomes:
        bed = open_genotypes(genotype_files, chrom)
        rows = np.flatnonzero(bed.variants["id"] == variant)
        if len(rows) > 1:
            raise UserError(f"{bed.path}: {variant} is the id of {len(rows)} variants: name another in pairing.planted")
        if len(rows):
            alleles = bed.read(rows)[:, 0]
            called = alleles[alleles != MISSING]
            log.info("planted %s on chromosome %s: effect allele %s, frequency %.3f, %d samples not called",
                     variant, chrom, bed.variants["effect_allele"][rows[0]], called.mean() / 2 if len(called) else 0,
                     len(alleles) - len(called))  # fmt: skip
            return alleles
    named = ", ".join(map(str, chromosomes))
    raise UserError(
        f"{describe_files(genotype_files)} has no variant {variant} on chromosomes {named}: correct "
        "pairing.planted.variant in the config"
    )


def _write_shifted(sources: list[Path], targets: list[Path], alleles: np.ndarray, shift: float) -> None:
    missing = int((alleles == MISSING).sum())
    if missing:
        log.warning("%d of %d photographs are not shifted: their sample has no call", missing, len(alleles))
    amounts = np.where(alleles == MISSING, 0, alleles) * shift
    with ThreadPoolExecutor(2) as pool:
        jobs = pool.map(_shift_file, sources, targets, amounts.tolist())
        clipped = list(tqdm(jobs, total=len(sources), desc="pair", unit="photograph", disable=None))
    shifted = amounts != 0
    log.info(
        "%d photographs shifted, by %g levels per allele; %.1f %% of their pixels were clipped",
        int(shifted.sum()), shift, 100 * float(np.mean(np.array(clipped)[shifted])) if shifted.any() else 0.0,
    )  # fmt: skip


def _shift_file(source: Path, target: Path, amount: float) -> float:
    """Write `source` shifted by `amount` levels as a high-quality JPEG; return the share of field pixels clipped."""
    try:
        with Image.open(source) as image:
            image = image.convert("RGB")
    except OSError:
        raise UserError(f"{source} cannot be read as a photograph: fix it or take it out of the folder") from None
    if image.height > HEIGHT:
        image = image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)
    shifted, clipped = shift_colour(np.asarray(image), amount)
    with replacing(target, crowded=True) as temporary:
        Image.fromarray(shifted).save(temporary, "JPEG", quality=95, subsampling=0)
    return clipped


def shift_colour(picture: np.ndarray, amount: float) -> tuple[np.ndarray, float]:
    """Add `amount` levels to red and take them from blue within the field of view of `picture` (h, w, 3) uint8.

    Returns the altered copy, and the share of the field's pixels that left 0 to 255 in either channel and were
    clipped. A photograph without a dark surround is all field.
    """
    field = find_field(picture.mean(axis=2))
    inside = np.ones(picture.shape[:2], dtype=bool)
    if field is not None:
        down, across = np.indices(inside.shape) + 0.5
        inside = np.hypot(across - field.x, down - field.y) <= field.radius
    values = picture.astype(np.float64)
    values[inside, 0] += amount
    values[inside, 2] -= amount
    outside_range = ((values < 0) | (values > 255)).any(axis=2)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8), float(outside_range[inside].mean())
