"""The variants around a lead: their -log10 p, and their linkage with it among the tested samples."""

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
MOST_SAMPLES = 20_000  # among whom r2 is measured: its standard error is below 0.01 then, and a cohort may be larger


@dataclass(frozen=True)
class Region:
    """Variants with a p-value within a window around the lead: arrays (variants,), positions ascending.

    y: -log10 p; r2: with the lead, NaN where one of the two does not vary; lead: its place; samples: among whom r2 is
    measured.
    """

    pos: np.ndarray
    y: np.ndarray
    r2: np.ndarray
    lead: int
    samples: int


class Regions:
    """The windows of one chromosome."""

    def __init__(
        self, chrom: str, gwas: PathLike, genotype_files: GenotypeFiles, cohort: PathLike, build: str, test: str
    ) -> None:
        """`genotype_files` are those that `gwas` tested; samples are those of `cohort` with gwas_included = 1."""
        self.chrom, self.gwas, self.build, self.test = chrom, gwas, build, test
        self.pos = read_columns(gwas, ["pos"])["pos"].to_numpy()
        self.genotypes: Genotypes = open_genotypes(genotype_files, chrom)
        tested = read_gwas_iids(cohort)
        here = self.genotypes.samples["iid"]
        require_overlap(tested, here, f"the tested samples of {cohort}", str(self.genotypes.path))
        samples = rows_of(tested, here)
        samples = np.sort(samples[samples >= 0])
        if len(samples) > MOST_SAMPLES:
            log.info("chromosome %s: r2 is measured among %d of %d samples", chrom, MOST_SAMPLES, len(samples))
            samples = samples[np.linspace(0, len(samples) - 1, MOST_SAMPLES).astype(np.int64)]
        self.samples = samples

    def around(self, lead: pd.Series, loci: PathLike, reach: float) -> Region:
        """The variants within `reach` base pairs of a row of `loci`; only their row groups are read."""
        row = int(rows_of_leads(self.gwas, lead.to_frame().T, loci)[0])
        near = np.flatnonzero(np.abs(self.pos.astype(np.int64) - int(lead["pos"])) <= reach)
        column = f"log10p_{self.test}"
        table = read_rows(self.gwas, near, [*VARIANT, column])
        known = table[column].notna().to_numpy() | (near == row)
        table, near = table[known], near[known]
        y = table[column].to_numpy(dtype=float)
        finite = np.isfinite(y)
        if not finite.all():
            log.warning("locus %s: %d variants have no finite p, drawn at the top", lead["locus"], int((~finite).sum()))
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
