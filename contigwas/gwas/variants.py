"""The variants to test: what they are, their blocks as the chromosome calls for, and which are good enough."""

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
    """Dosages of B variants of the tested samples, (samples, B): int8, -127 missing, or float32, NaN missing.

    `places` number the variants in order of position; `x_linked`, bool (B,), tells where males have one copy.
    """

    places: np.ndarray
    dosages: np.ndarray
    x_linked: np.ndarray


class Variants:
    """The variants to test, in order of position, read for the tested samples.

    Attributes:
        identity: arrays of the columns `IDENTITY`.
        males: who is male, bool (samples,); None where no variant is X-linked.
        hets: heterozygous calls of males met so far.
    """

    def __init__(self, genotypes: Genotypes, rows: np.ndarray, samples: Samples, build: str) -> None:
        """`rows` in `genotypes.variants`; `build` of the genome tells where X is pseudo-autosomal."""
        self.genotypes, self.rows, self.samples = genotypes, rows, samples.rows
        described = genotypes.variants.iloc[rows]
        self.identity = {name: described[name].to_numpy() for name in IDENTITY}
        self.x_linked = np.zeros(len(rows), bool)
        for chrom in described["chrom"].unique():
            here = self.identity["chrom"] == chrom
            self.x_linked[here] = x_linked(chrom, self.identity["pos"][here], build)
        self.males: np.ndarray | None = None
        self.hets = 0
        self._sex = np.zeros(len(samples.rows), np.int64)
        if self.x_linked.any():
            self._sex = sexes(genotypes.samples["sex"].to_numpy()[samples.rows], samples.covariates)
            if not self._sex.any():
                raise UserError(
                    f"{genotypes.path}: nobody's sex is known, which chromosome X calls for: write it into the table "
                    "of samples (1 male, 2 female), or supply a covariate sex and name it in gwas.covariates"
                )
            self.males = self._sex == MALE

    def __len__(self) -> int:
        return len(self.rows)

    def covariates(self, samples: Samples) -> tuple[np.ndarray, list[str]]:
        """The covariates, float64 (samples, q), and their names: on X with sex, as in plink2, unless they tell it."""
        values, names = samples.covariates.to_numpy(np.float64), list(samples.covariates.columns)
        if self.males is None:
            return values, names
        unknown = self._sex == 0
        if unknown.any():
            log.warning("%d samples of unknown sex have no genotype on X outside the pseudo-autosomal regions",
                        int(unknown.sum()))  # fmt: skip
        sex = self._sex.astype(np.float64)
        sex[unknown] = sex[~unknown].mean() if not unknown.all() else 0.0
        basis = np.column_stack([np.ones(len(sex)), values])
        left = sex - basis @ np.linalg.lstsq(basis, sex, rcond=None)[0]
        if (left**2).sum() <= 1e-8 * len(sex):
            return values, names
        log.info("sex is a covariate on X")
        return np.column_stack([values, sex]), [*names, "sex (of the genotypes)"]

    def blocks(self, size: int) -> Iterator[Block]:
        """`size` variants at a time; on X males count 0 or 2, and samples of unknown sex are missing."""
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
    """Positions in `genotypes.variants` of those that the quality control `path` kept (None: all), by position."""
    if path is None:
        rows = np.arange(len(genotypes.variants))
    else:
        table = pd.read_parquet(require(path, "the variants' quality control"))
        table = table[table["kept"]]
        rows = table["index"].to_numpy(np.int64)
        inside = len(rows) == 0 or rows.max() < len(genotypes.variants)
        if not inside or not (genotypes.variants["id"].to_numpy()[rows] == table["id"].to_numpy()).all():
            raise UserError(f"{path} does not describe {genotypes.path}: run the stage genotypes again")
        log.info("%d of %d variants passed quality control", len(rows), len(genotypes.variants))
    return rows[np.argsort(genotypes.variants["pos"].to_numpy()[rows], kind="stable")]
