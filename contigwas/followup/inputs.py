"""What the GWAS of one chromosome tested: samples, features, covariates, offsets, sexes, genotypes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.genotypes.sex import code_males
from contigwas.gwas.design import Design, Setup, design
from contigwas.gwas.offsets import read_offsets
from contigwas.gwas.samples import tested_samples
from contigwas.gwas.sex import MALE, sexes
from contigwas.gwas.variants import Variants
from contigwas.runtime.atomic_files import PathLike


@dataclass(frozen=True)
class Study:
    """The tested samples, in the genotypes' order.

    Attributes:
        genotypes: of the chromosome.
        rows: where the samples stand there, int64 (samples,).
        names: of the features.
        values: the features, float64 (samples, P), NaN where missing.
        offsets: what the GWAS took out of them, in SDs of the residualised feature, (samples, P), or None.
        plan: the design of the GWAS.
        sex: 1 male, 2 female, 0 unknown, (samples,).
        linked: whether each variant of `genotypes` is X-linked, bool.
        exact: whether the GWAS fits complete cases where calls are missing.
    """

    genotypes: Genotypes
    rows: np.ndarray
    names: list[str]
    values: np.ndarray
    offsets: np.ndarray | None
    plan: Design
    sex: np.ndarray
    linked: np.ndarray
    exact: bool

    @classmethod
    def read(
        cls,
        genotype_files: GenotypeFiles,
        chrom: str,
        phenotypes: PathLike,
        covariates: PathLike,
        settings: Mapping[str, object],
        offsets: PathLike | None = None,
    ) -> "Study":
        """From the files of the GWAS of `chrom`; `settings`: missing and build; `offsets`: REGENIE's list, if any."""
        genotypes = open_genotypes(genotype_files, chrom)
        samples = tested_samples(genotypes, phenotypes, covariates)
        names, values = list(samples.features.columns), samples.features.to_numpy(np.float64)
        everything = Variants(genotypes, np.arange(len(genotypes.variants)), samples, str(settings["build"]))
        table, columns = everything.covariates(samples)  # with sex, on X
        predicted = read_offsets(offsets, chrom, names, samples.features.index) if offsets else None
        plan = design(table, columns, values, names, predicted)
        sex = sexes(genotypes.samples["sex"].to_numpy()[samples.rows], samples.covariates)
        exact = settings["missing"] == "exact"
        return cls(genotypes, samples.rows, names, values, predicted, plan, sex, everything.x_linked, exact)

    def dosage(self, row: int) -> np.ndarray:
        """Copies of the effect allele of variant `row` as the GWAS takes them, NaN where missing; float64 (samples,)."""
        block = self.genotypes.dosages(np.array([row]), self.rows)
        values = code_males(block, self.sex == MALE, self.sex == 0, self.linked[[row]])[0][:, 0].astype(np.float64)
        return np.where(values < 0, np.nan, values)

    def outcome(self, setup: Setup, columns: np.ndarray, offsets: bool = True) -> np.ndarray:
        """Features `columns` of the setup's samples, less their offsets where there are any: float64 (n, columns)."""
        part = np.ix_(setup.samples, columns)
        values = self.values[part]
        if self.offsets is None or not offsets:
            return values
        basis = np.linalg.qr(setup.basis)[0]
        left = values - basis @ (basis.T @ values)
        return values - np.sqrt((left**2).sum(axis=0) / (len(left) - basis.shape[1])) * self.offsets[part]
