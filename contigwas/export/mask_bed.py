"""Burden masks as PLINK genotypes, like --write-mask of REGENIE, for programs that test single variants."""

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
BLOCK = 256  # masks that are written at a time


def write_mask_bed(burden: PathLike, cohort: PathLike, output: PathLike) -> None:
    """Write the burden modality as `output` (.bed) with its .bim and .fam files; each mask is a variant.

    As in REGENIE, chromosome and position are those of the set, the ID is `GENE.MASK.CUTOFF` (or `singleton` instead of
    the cutoff), the first (counted) allele is `MASK.CUTOFF` and the second `ref`. There are three differences: a sample
    without any qualifying call has 0 copies instead of a missing genotype, masks without carriers are left out, and sex
    is coded as in PLINK (2 for females). Raises UserError for the statistic `sum`, which REGENIE rejects as well, and
    if a sample of `burden` is not in `cohort`.
    """
    data = read_modality(burden)
    provenance = json.loads(data.uns["provenance"])
    if provenance["statistic"] == "sum":
        raise UserError(
            f"{burden} holds sums of alleles, but a .bed file can only hold 0 to 2. Set burden.statistic to comphet "
            "(the sum, at most 2), max or binary"
        )
    samples = read_cohort(cohort)
    rows = rows_of(data.obs_names, samples["iid"].astype(str))
    if (rows < 0).any():
        raise UserError(
            f"{cohort}: {(rows < 0).sum()} of the {len(rows)} samples of {burden} are missing. Run burden again"
        )
    samples = samples.iloc[rows]
    cutoff = f"{provenance['max_aaf']:g}"
    masks = [
        mask if provenance["singletons"] and mask.endswith(".singleton") else f"{mask}.{cutoff}"
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
    """Return counts (samples, variants) of 0, 1 or 2 as .bed bytes: four samples per byte, first in the low bits."""
    samples, variants = counts.shape
    codes = np.zeros((variants, -(-samples // 4) * 4), np.uint8)  # unused bits of the last byte are 0
    codes[:, :samples] = CODES[counts.T]
    codes = codes.reshape(variants, -1, 4)
    return (codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6).tobytes()
