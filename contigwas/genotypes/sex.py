"""Chromosome X: pseudo-autosomal regions and the coding of males."""

import numpy as np

from contigwas.genotypes.interface import MISSING
from contigwas.runtime.errors import UserError

# The last base of the first and the first base of the second pseudo-autosomal region of X, in base pairs.
PAR = {"GRCh37": (2_699_520, 154_931_044), "GRCh38": (2_781_479, 155_701_383)}


def x_linked(chrom: object, positions: np.ndarray, build: str) -> np.ndarray:
    """Return whether variants are on X outside its pseudo-autosomal regions: bool (variants,).

    `chrom` is a plain name (`X`), `positions` are base pairs. The regions are those of the Genome Reference Consortium
    (ncbi.nlm.nih.gov/grc/human), as in plink2 --split-par b37 and b38. Within them both sexes are diploid, and variants
    are analysed like autosomal ones. Raises UserError for a build other than GRCh37 and GRCh38.
    """
    if build not in PAR:
        raise UserError(
            f"genotypes.build: the pseudo-autosomal regions of {build} are not known. Set GRCh37 or GRCh38."
        )
    first, second = PAR[build]
    positions = np.asarray(positions)
    return (positions > first) & (positions < second) & (str(chrom) == "X")


def code_males(
    block: np.ndarray, male: np.ndarray, unknown: np.ndarray, x_linked: np.ndarray
) -> tuple[np.ndarray, int]:
    """Code the X-linked variants of a block; return it and the number of heterozygous calls of males set to missing.

    `block` is int8 (samples, variants), -127 where missing, or float32 with NaN. `male` and `unknown` (sex) are bool
    (samples,), `x_linked` is bool (variants,). Males are coded 0 or 2 (plink2 --xchr-model 2), so a heterozygous hard
    call of a male is an error and is set to missing. A male's dosage, 0 to 2, is not changed. Samples of unknown sex
    are set to missing. Other variants are not changed. If nothing changes, the block itself is returned, not a copy.
    """
    columns = np.flatnonzero(x_linked)
    hard_calls = block.dtype.kind != "f"
    if not columns.size or not (unknown.any() or (hard_calls and male.any())):
        return block, 0
    missing = MISSING if hard_calls else np.nan
    coded = block.copy(order="F")
    hets = 0
    for column in columns:
        values = coded[:, column]
        if hard_calls:
            het = male & (values == 1)
            hets += np.count_nonzero(het)
            values[het] = missing
        values[unknown] = missing
    return coded, int(hets)


def frequencies(block: np.ndarray, male: np.ndarray, x_linked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute effect-allele frequencies (float64, NaN without calls) and numbers of calls (int64): (variants,).

    `block` is the result of `code_males`, in which samples of unknown sex are missing at X-linked variants. A male has
    one allele of an X-linked variant, as in plink2's A1_FREQ; all other samples have two.
    """
    called, alleles = _call_totals(block)
    total = 2 * called
    columns = np.flatnonzero(x_linked)
    if columns.size and male.any():
        male_calls, male_alleles = _call_totals(block[np.ix_(male, columns)])
        total[columns] -= male_calls
        alleles[columns] -= male_alleles / 2
    return np.divide(alleles, total, out=np.full(called.size, np.nan), where=total > 0), called


def _call_totals(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of calls (int64) and the sum of their dosages (float64) of each variant."""
    if block.dtype.kind == "f":
        called = block.shape[0] - np.count_nonzero(np.isnan(block), axis=0)
        return called, np.nansum(block, axis=0, dtype=np.float64)
    called = np.count_nonzero(block >= 0, axis=0)
    missing = block.shape[0] - called
    return called, (block.sum(axis=0, dtype=np.int64) - MISSING * missing).astype(np.float64)
