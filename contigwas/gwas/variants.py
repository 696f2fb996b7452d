"""Variants to test: their identity, their dosages in blocks, and the coding of males on X."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import Genotypes
from contigwas.genotypes.sex import code_males, x_linked
from contigwas.gwas.samples import Samples
from contigwas.gwas.sex import MALE, sexes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
IDENTITY = ["chrom", "pos", "id", "effect_allele", "other_allele"]


@dataclass
class Block:
    """Dosages of B variants in the tested samples.

    Attributes:
        places: numbers of the variants in order of position, int64 (B,).
        dosages: (samples, B), int8 with -127 for missing, or float32 with NaN for missing.
        x_linked: whether males have one copy, bool (B,).
    """

    places: np.ndarray
    dosages: np.ndarray
    x_linked: np.ndarray


class Variants:
    """Variants to test, in order of position, read for the tested samples.

    Attributes:
        identity: arrays of the columns `IDENTITY`.
        males: whether a sample is male, bool (samples,); None if no variant is X-linked.
        hets: number of heterozygous calls of males on X read so far.
    """

    def __init__(self, genotypes: Genotypes, rows: np.ndarray, samples: Samples, build: str) -> None:
        """Take the variants `rows` of `genotypes.variants`; `build` defines the pseudo-autosomal regions of X.

        Raises UserError if a variant is X-linked and the sex of all samples is unknown.
        """
        self.genotypes, self.rows, self.samples = genotypes, rows, samples.rows
        described = genotypes.variants.iloc[rows]
        self.identity = {name: described[name].to_numpy() for name in IDENTITY}
        self.x_linked = np.zeros(len(rows), bool)
        for chrom in described["chrom"].unique():
            on_chrom = self.identity["chrom"] == chrom
            self.x_linked[on_chrom] = x_linked(chrom, self.identity["pos"][on_chrom], build)
        self.males: np.ndarray | None = None
        self.hets = 0
        self._sex = np.zeros(len(samples.rows), np.int64)
        if self.x_linked.any():
            self._sex = sexes(genotypes.samples["sex"].to_numpy()[samples.rows], samples.covariates)
            if not self._sex.any():
                raise UserError(
                    f"{genotypes.path}: the sex of all samples is unknown, but chromosome X needs it. Write it to the "
                    "sample table (1 male, 2 female), or supply a covariate sex and name it in gwas.covariates"
                )
            self.males = self._sex == MALE

    def __len__(self) -> int:
        return len(self.rows)

    def covariates(self, samples: Samples) -> tuple[np.ndarray, list[str]]:
        """Return the covariates, float64 (samples, q), and their names.

        On X, sex is added as in plink2, unless the other covariates determine it.
        """
        values, names = samples.covariates.to_numpy(np.float64), list(samples.covariates.columns)
        if self.males is None:
            return values, names
        unknown = self._sex == 0
        if unknown.any():
            log.warning("%d samples of unknown sex have missing genotypes on X outside the pseudo-autosomal regions",
                        int(unknown.sum()))  # fmt: skip
        sex = self._sex.astype(np.float64)
        sex[unknown] = sex[~unknown].mean() if not unknown.all() else 0.0
        basis = np.column_stack([np.ones(len(sex)), values])
        residual = sex - basis @ np.linalg.lstsq(basis, sex, rcond=None)[0]
        if (residual**2).sum() <= 1e-8 * len(sex):
            return values, names
        log.info("sex is added to the covariates on X")
        return np.column_stack([values, sex]), [*names, "sex (of the genotypes)"]

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield `size` variants at a time; on X males count 0 or 2, and samples of unknown sex are missing."""
        start = 0
        for part, dosages in self.genotypes.blocks(self.rows, self.samples, size, dosages=True):
            places = np.arange(start, start + len(part))
            start += len(part)
            linked = self.x_linked[places]
            if self.males is not None:
                dosages, hets = code_males(dosages, self.males, self._sex == 0, linked)
                self.hets += hets
            yield Block(places, dosages, linked)


def variants_to_test(genotypes: Genotypes, path: PathLike | None) -> np.ndarray:
    """Return the rows of `genotypes.variants` that quality control (`path`; None: all) kept, by position: int64.

    Raises UserError if `path` does not describe these genotypes.
    """
    if path is None:
        rows = np.arange(len(genotypes.variants))
    else:
        table = pd.read_parquet(require(path, "the variants' quality control"))
        table = table[table["kept"]]
        rows = table["index"].to_numpy(np.int64)
        inside = len(rows) == 0 or rows.max() < len(genotypes.variants)
        if not inside or not (genotypes.variants["id"].to_numpy()[rows] == table["id"].to_numpy()).all():
            raise UserError(f"{path}: the variants are not those of {genotypes.path}. Run the stage genotypes again")
        log.info("%d of %d variants passed quality control", len(rows), len(genotypes.variants))
    return rows[np.argsort(genotypes.variants["pos"].to_numpy()[rows], kind="stable")]
