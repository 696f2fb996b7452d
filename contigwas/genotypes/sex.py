"""Chromosome X: where it is pseudo-autosomal, and what males count there."""

import numpy as np

from contigwas.genotypes.interface import MISSING
from contigwas.runtime.errors import UserError

# The last base of the first and the first base of the second pseudo-autosomal region of X, in base pairs.
PAR = {"GRCh37": (2_699_520, 154_931_044), "GRCh38": (2_781_479, 155_701_383)}


def x_linked(chrom: object, positions: np.ndarray, build: str) -> np.ndarray:
    """Whether variants are on X outside its pseudo-autosomal regions: bool (variants,).

    `chrom` is a plain name (`X`), `positions` are base pairs. The regions are those of the Genome Reference Consortium
    (ncbi.nlm.nih.gov/grc/human), as in plink2 --split-par b37 and b38: within them both sexes are diploid, and the
    variants are treated like those of an autosome. Raises UserError for a build other than GRCh37 and GRCh38.
    """
    if build not in PAR:
        raise UserError(f"the pseudo-autosomal regions of {build} are not known: genotypes.build is GRCh37 or GRCh38")
    first, second = PAR[build]
    positions = np.asarray(positions)
    return (positions > first) & (positions < second) & (str(chrom) == "X")


def code_males(
    block: np.ndarray, male: np.ndarray, unknown: np.ndarray, x_linked: np.ndarray
) -> tuple[np.ndarray, int]:
    """A block as X-linked variants call for it, and how many heterozygous calls of males became missing.

    `block` is int8 (samples, variants), -127 where missing, or float32 with NaN; `male` and `unknown` (sex) are bool
    (samples,), `x_linked` is bool (variants,). Males count 0 or 2 (plink2 --xchr-model 2), so a heterozygous hard call
    of a male is an error and becomes missing; a male's dosage is taken as it is, 0 to 2. Samples of unknown sex are
    missing. Nothing changes where `x_linked` is false. The block comes back as it is, not copied, where nothing does.
    """
    columns = np.flatnonzero(x_linked)
    whole = block.dtype.kind != "f"
    if not columns.size or not (unknown.any() or (whole and male.any())):
        return block, 0
    missing = MISSING if whole else np.nan
    coded = block.copy(order="F")
    hets = 0
    for column in columns:
        values = coded[:, column]
        if whole:
            het = male & (values == 1)
            hets += np.count_nonzero(het)
            values[het] = missing
        values[unknown] = missing
    return coded, int(hets)


def frequencies(block: np.ndarray, male: np.ndarray, x_linked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequency of the effect allele (float64, NaN without calls) and samples called (int64), both (variants,).

    `block` is what `code_males` gave: samples of unknown sex are missing where `x_linked`. A male counts one allele of
    an X-linked variant, as in plink2's A1_FREQ; everyone else counts two.
    """
    called, alleles = _called(block)
    total = 2 * called
    columns = np.flatnonzero(x_linked)
    if columns.size and male.any():
        of_males, carried = _called(block[np.ix_(male, columns)])
        total[columns] -= of_males
        alleles[columns] -= carried / 2
    return np.divide(alleles, total, out=np.full(called.size, np.nan), where=total > 0), called


def _called(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples called (int64) and the sum of their dosages (float64) of every variant."""
    if block.dtype.kind == "f":
        called = block.shape[0] - np.count_nonzero(np.isnan(block), axis=0)
        return called, np.nansum(block, axis=0, dtype=np.float64)
    called = np.count_nonzero(block >= 0, axis=0)
    missing = block.shape[0] - called
    return called, (block.sum(axis=0, dtype=np.int64) - MISSING * missing).astype(np.float64)
