"""Inputs of the GWAS of one chromosome: samples, features, covariates, offsets, sex and genotypes."""

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
class ChromosomeInputs:
    """Inputs of the GWAS of one chromosome, for the tested samples in the order of the genotypes.

    Attributes:
        genotypes: genotypes of the chromosome.
        rows: row numbers of the samples in the genotypes, int64 (samples,).
        names: names of the features.
        values: the features, float64 (samples, P), NaN where missing.
        offsets: offsets that the GWAS subtracted, in SDs of the residualised feature, float64 (samples, P), or None.
        plan: the regression design of the GWAS.
        sex: 1 male, 2 female, 0 unknown, int64 (samples,).
        linked: whether each variant of `genotypes` is X-linked, bool.
        exact: whether the GWAS left out samples with a missing call (gwas.missing: exact).
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
    ) -> "ChromosomeInputs":
        """Read the inputs of `chrom`; `settings`: missing and build; `offsets`: the list of REGENIE, or None."""
        genotypes = open_genotypes(genotype_files, chrom)
        samples = tested_samples(genotypes, phenotypes, covariates)
        names, values = list(samples.features.columns), samples.features.to_numpy(np.float64)
        all_variants = Variants(genotypes, np.arange(len(genotypes.variants)), samples, str(settings["build"]))
        table, columns = all_variants.covariates(samples)  # includes sex on X
        predicted = read_offsets(offsets, chrom, names, samples.features.index) if offsets else None
        plan = design(table, columns, values, names, predicted)
        sex = sexes(genotypes.samples["sex"].to_numpy()[samples.rows], samples.covariates)
        exact = settings["missing"] == "exact"
        return cls(genotypes, samples.rows, names, values, predicted, plan, sex, all_variants.x_linked, exact)

    def dosage(self, row: int) -> np.ndarray:
        """Return the dosages of variant `row` as the GWAS codes them, NaN where missing: float64 (samples,)."""
        block = self.genotypes.dosages(np.array([row]), self.rows)
        values = code_males(block, self.sex == MALE, self.sex == 0, self.linked[[row]])[0][:, 0].astype(np.float64)
        return np.where(values < 0, np.nan, values)

    def outcome(self, setup: Setup, columns: np.ndarray, offsets: bool = True) -> np.ndarray:
        """Return the features `columns` of the samples of `setup`, minus their offsets if any: float64 (n, columns)."""
        part = np.ix_(setup.samples, columns)
        values = self.values[part]
        if self.offsets is None or not offsets:
            return values
        basis = np.linalg.qr(setup.basis)[0]
        residual = values - basis @ (basis.T @ values)
        return values - np.sqrt((residual**2).sum(axis=0) / (len(residual) - basis.shape[1])) * self.offsets[part]
