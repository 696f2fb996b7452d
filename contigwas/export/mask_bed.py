"""Burdens as PLINK genotypes, as REGENIE's --write-mask has them, for programs that test single variants."""

import json
import logging
from pathlib import Path

import numpy as np

from contigwas.genotypes.bed import MAGIC
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_cohort
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.sample_ids import rows_of

log = logging.getLogger(__name__)

CODES = np.array([0b11, 0b10, 0b00], np.uint8)  # 0, 1 and 2 copies of the first allele of the .bim
BLOCK = 256  # masks at a time


def write_mask_bed(burden: PathLike, cohort: PathLike, output: PathLike) -> None:
    """Write the burden modality as `output` (.bed) with its .bim and .fam; a mask is a variant.

    As REGENIE does: chromosome and position are those of the set, the ID is `GENE.MASK.CUTOFF` (`singleton` in the
    place of the cut-off), the first allele (counted) `MASK.CUTOFF` and the second `ref`. Other than in REGENIE's, a
    sample that misses every qualifying call has 0 copies here, not a missing one; masks without a carrier are not
    there; sex is PLINK's (2 for females). Raises UserError for the statistic `sum`, which REGENIE refuses as well,
    and when a sample of `burden` is not in `cohort`.
    """
    data = read_modality(burden)
    reported = json.loads(data.uns["provenance"])
    if reported["statistic"] == "sum":
        raise UserError(
            f"{burden} holds sums of alleles, and a .bed counts 0 to 2: set burden.statistic to comphet (the sum, at "
            "most 2), max or binary"
        )
    samples = read_cohort(cohort)
    rows = rows_of(data.obs_names, samples["iid"].astype(str))
    if (rows < 0).any():
        raise UserError(f"{cohort} lacks {(rows < 0).sum()} of the {len(rows)} samples of {burden}: run burden again")
    samples = samples.iloc[rows]
    cutoff = f"{reported['max_aaf']:g}"
    masks = [
        mask if reported["singletons"] and mask.endswith(".singleton") else f"{mask}.{cutoff}"
        for mask in data.var["mask"]
    ]
    values = data.X.tocsc()
    output = Path(output)
    paths = [output, output.with_suffix(".bim"), output.with_suffix(".fam")]
    with replacing(paths[0]) as bed, replacing(paths[1]) as bim, replacing(paths[2]) as fam:
        rows = zip(samples["fid"].astype(str), data.obs_names, samples["sex"], strict=True)
        fam.write_text("".join(f"{fid}\t{iid}\t0\t0\t{int(sex)}\t-9\n" for fid, iid, sex in rows))
        rows = zip(data.var["chrom"], data.var["gene"], masks, data.var["pos"], strict=True)
        bim.write_text("".join(f"{chrom}\t{gene}.{mask}\t0\t{pos}\t{mask}\tref\n" for chrom, gene, mask, pos in rows))
        with bed.open("wb") as file:
            file.write(MAGIC)
            for start in range(0, values.shape[1], BLOCK):
                file.write(_packed(values[:, start : start + BLOCK].toarray()))
    log.info("%d masks of %d samples", values.shape[1], len(samples))


def _packed(counts: np.ndarray) -> bytes:
    """Counts (samples, variants) of 0, 1 or 2 as the bytes of a .bed: four samples a byte, the first in its low bits."""
    samples, variants = counts.shape
    codes = np.zeros((variants, -(-samples // 4) * 4), np.uint8)  # what is left of the last byte is 0
    codes[:, :samples] = CODES[counts.T]
    codes = codes.reshape(variants, -1, 4)
    return (codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6).tobytes()
