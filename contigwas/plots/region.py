"""Variants around a lead variant: -log10 p, and r² with the lead variant among the tested samples."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.genotypes.sex import x_linked
from contigwas.loci.gwas_file import read_columns, read_rows
from contigwas.loci.ld import Linkage
from contigwas.loci.table import VARIANT, match_variants
from contigwas.plots.lead_variants import rows_of_leads
from contigwas.runtime.atomic_files import PathLike
from contigwas.samples.cohort import read_gwas_iids
from contigwas.tables.sample_ids import require_overlap, rows_of

log = logging.getLogger(__name__)
MAX_SAMPLES = 20_000  # for r2, whose standard error is then below 0.01


@dataclass(frozen=True)
class Region:
    """Variants with a p-value in a window around a lead variant: arrays (variants,), positions ascending.

    y: -log10 p; r2: r² with the lead variant, NaN if one of the two does not vary; lead: position of the lead variant
    in the arrays; samples: number of samples used for r2.
    """

    pos: np.ndarray
    y: np.ndarray
    r2: np.ndarray
    lead: int
    samples: int


class Regions:
    """Windows around lead variants of one chromosome."""

    def __init__(
        self, chrom: str, gwas: PathLike, genotype_files: GenotypeFiles, cohort: PathLike, build: str, test: str
    ) -> None:
        """Open the genotypes that `gwas` tested; samples are those of `cohort` with gwas_included = 1."""
        self.chrom, self.gwas, self.build, self.test = chrom, gwas, build, test
        self.pos = read_columns(gwas, ["pos"])["pos"].to_numpy()
        self.genotypes: Genotypes = open_genotypes(genotype_files, chrom)
        tested = read_gwas_iids(cohort)
        genotyped = self.genotypes.samples["iid"]
        require_overlap(tested, genotyped, f"the tested samples of {cohort}", str(self.genotypes.path))
        samples = rows_of(tested, genotyped)
        samples = np.sort(samples[samples >= 0])
        if len(samples) > MAX_SAMPLES:
            log.info("chromosome %s: r2 is computed from %d of %d samples", chrom, MAX_SAMPLES, len(samples))
            samples = samples[np.linspace(0, len(samples) - 1, MAX_SAMPLES).astype(np.int64)]
        self.samples = samples

    def around(self, lead: pd.Series, loci: PathLike, reach: float) -> Region:
        """Return the variants within `reach` base pairs of `lead`, a row of `loci`. Only their row groups are read."""
        row = int(rows_of_leads(self.gwas, lead.to_frame().T, loci)[0])
        near = np.flatnonzero(np.abs(self.pos.astype(np.int64) - int(lead["pos"])) <= reach)
        column = f"log10p_{self.test}"
        table = read_rows(self.gwas, near, [*VARIANT, column])
        tested = table[column].notna().to_numpy() | (near == row)
        table, near = table[tested], near[tested]
        y = table[column].to_numpy(dtype=float)
        finite = np.isfinite(y)
        if not finite.all():
            log.warning(
                "locus %s: %d variants have an infinite -log10 p and are drawn at the top",
                lead["locus"],
                int((~finite).sum()),
            )
            y = np.where(finite, y, y[finite].max(initial=float(lead["log10p"])))
        index = int(np.flatnonzero(near == row)[0])
        linkage = Linkage(
            self.genotypes,
            match_variants(table, self.genotypes, self.gwas),
            self.samples,
            x_linked(self.chrom, table["pos"].to_numpy(), self.build),
        )
        r2 = linkage(index, np.arange(len(table)))
        return Region(table["pos"].to_numpy(), y, r2, index, len(self.samples))
