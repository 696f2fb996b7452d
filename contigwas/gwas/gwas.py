"""The GWAS of one chromosome: every feature on every variant, in one pass over the genotypes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.reader import Bed, open_bed
from contigwas.gwas.design import Design, design
from contigwas.gwas.engine import FLAGS, Associations, Kernel
from contigwas.gwas.omnibus import acat, minp
from contigwas.gwas.output import OMNIBUS, columns_of, gwas_table
from contigwas.gwas.pvalues import log10p_f, log10p_t
from contigwas.gwas.summary import Histogram
from contigwas.people import require_overlap, require_unique, rows_of

log = logging.getLogger(__name__)
CELLS = 2**25  # dosages in a block: with their float32 copy about 200 MB
LARGEST_BLOCK = 1024  # variants
IDENTITY = ["pos", "id", "effect_allele", "other_allele"]


@dataclass(frozen=True)
class Settings:
    """How to test: `missing` calls (exact or mean), `tests` over features, least minor-allele count, least MAF."""

    missing: str
    tests: tuple[str, ...]
    min_ac: int
    maf: float

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Settings":
        """From the config's block `gwas`; UserError for what makes no sense."""
        tests = tuple(settings["tests"])
        unknown = [test for test in tests if test not in OMNIBUS]
        if unknown or settings["missing"] not in ("exact", "mean"):
            wrong = f"tests names {unknown[0]}" if unknown else f"missing is {settings['missing']}"
            raise UserError(f"config: gwas.{wrong}: tests are {', '.join(OMNIBUS)}, missing is exact or mean")
        return cls(settings["missing"], tests, int(settings["min_ac"]), float(settings["qc"]["maf"]))


@dataclass(frozen=True)
class People:
    """The tested people in the order of the genotypes: rows in the .bed, features (NaN is missing), covariates."""

    rows: np.ndarray
    features: pd.DataFrame
    covariates: pd.DataFrame


def write_gwas(
    pattern: PathLike,
    chrom: object,
    variants: PathLike | None,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    output_summary: PathLike,
    block: int | None = None,
) -> None:
    """Test every feature on every kept variant of `chrom`: one row a variant, in order of position.

    `pattern` names the .bed files; `variants` is the quality control of the chromosome (None: all variants are
    tested); `phenotypes` and `covariates` are tables with `iid` and numeric columns. `settings`: missing, tests,
    min_ac and qc.maf, the least minor-allele frequency among the tested people: rarer variants are left out and
    counted. `block` variants are read at a time (the result does not depend on it). `output_summary` holds the
    histograms of -log10 p. The columns are those of docs/files.md; a row that cannot be tested says why in `flag`.
    Raises UserError when files do not belong together, share nobody, or leave nothing to test.
    """
    options = Settings.of(settings)
    bed = open_bed(pattern, chrom)
    rows = _variants(bed, variants)
    people = tested_people(bed, phenotypes, covariates)
    plan = design(
        people.covariates.to_numpy(np.float64),
        list(people.covariates.columns),
        people.features.to_numpy(np.float64),
        list(people.features.columns),
    )
    tester = _Tester(plan, list(people.features.columns), len(people.rows), options)
    histogram = Histogram([*tester.names, *tester.tests])
    block = block or int(np.clip(CELLS // len(people.rows), 1, LARGEST_BLOCK))
    notes = {
        "people": len(people.rows),
        "features": len(tester.names),
        "covariates": plan.covariates,
        "missing": options.missing,
        "maf": options.maf,
    }
    rare, flags = 0, np.zeros(len(FLAGS), np.int64)
    with (
        gwas_table(output, columns_of(tester.names, tester.partial, tester.tests), notes) as table,
        tqdm(total=len(rows), desc=f"gwas, chromosome {chrom}", unit=" variants", disable=None) as progress,
    ):
        for part, dosages in bed.blocks(rows, people.rows, block):
            eaf, n = frequencies(dosages)
            common = ~(np.minimum(eaf, 1 - eaf) < options.maf) & (~np.isnan(eaf) | (options.maf == 0))
            rare += int((~common).sum())
            progress.update(len(part))
            if not common.any():
                continue
            found, flag = tester(dosages if common.all() else np.asfortranarray(dosages[:, common]))
            histogram.add({name: found[f"log10p_{name}"] for name in histogram.counts})
            flags += np.bincount(flag, minlength=len(FLAGS))
            described = bed.variants.iloc[part[common]]
            variant = {name: described[name].to_numpy() for name in ("chrom", *IDENTITY)}
            table.append({**variant, "eaf": eaf[common], "n": n[common], "flag": FLAGS[flag], **found})
        notes |= {"variants": table.rows, "variants_below_maf": rare}
        histogram.write(output_summary)
    log.info("chromosome %s: %d variants tested, %d left out below a minor-allele frequency of %g among the %d tested "
             "people", chrom, table.rows, rare, options.maf, len(people.rows))  # fmt: skip
    for name, count in zip(FLAGS[1:], flags[1:], strict=True):
        if count:
            log.info("chromosome %s: %d variants are %s", chrom, count, name)


def frequencies(dosages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequency of the effect allele (NaN without calls) and people called, (variants,), of int8 dosages."""
    called = np.count_nonzero(dosages >= 0, axis=0)
    alleles = dosages.sum(axis=0, dtype=np.int64) + 127 * (dosages.shape[0] - called)
    return np.divide(alleles, 2 * called, out=np.full(called.size, np.nan), where=called > 0), called


class _Tester:
    """Runs the kernels of all setups on a block and puts their results into the columns of the table."""

    def __init__(self, plan: Design, names: list[str], people: int, options: Settings) -> None:
        self.names, self.tests = names, [test for test in OMNIBUS if test in options.tests]
        self.people = people
        choice = {"missing": options.missing, "min_ac": options.min_ac}
        wanted = "manova" in options.tests
        self.kernels = [Kernel(one, joint=wanted and one is plan.joint, **choice) for one in plan.setups]
        self.joint = next((kernel for kernel in self.kernels if kernel.joint), None)
        if wanted and self.joint is None and plan.joint is not None:
            self.joint = Kernel(plan.joint, joint=True, **choice)
        tested = {column for one in plan.setups for column in one.features}
        self.partial = [
            names[column] for one in plan.setups if len(one.people) < people for column in sorted(one.features)
        ] + [name for column, name in enumerate(names) if column not in tested]

    def __call__(self, dosages: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Columns of a block of dosages (people, B), and the rows' flags: those of the first setup if all have one."""
        variants = dosages.shape[1]
        shape = (variants, len(self.names))
        beta, se, log10p = (np.full(shape, np.nan) for _ in range(3))
        n = np.zeros(shape, np.int64)
        flags, joint = [], None
        for kernel in self.kernels:
            result = self._run(kernel, dosages)
            columns = kernel.setup.features
            beta[:, columns], se[:, columns] = result.beta, result.se
            log10p[:, columns] = log10p_t(result.r2, result.df[:, None])
            n[:, columns] = result.n[:, None]
            flags.append(result.flag)
            if kernel is self.joint:
                joint = result
        found: dict[str, np.ndarray] = {}
        for column, name in enumerate(self.names):
            found[f"beta_{name}"], found[f"se_{name}"] = beta[:, column], se[:, column]
            found[f"log10p_{name}"] = log10p[:, column]
            if name in self.partial:
                found[f"n_{name}"] = n[:, column]
        found["log10p_minp"], found["log10p_acat"] = minp(log10p), acat(log10p)
        found["log10p_manova"] = self._manova(joint, dosages)
        every = np.array(flags)
        return found, np.where((every != 0).all(axis=0), every[0], 0)

    def _run(self, kernel: Kernel, dosages: np.ndarray) -> Associations:
        people = kernel.setup.people
        return kernel(dosages if len(people) == self.people else dosages[people])

    def _manova(self, joint: Associations | None, dosages: np.ndarray) -> np.ndarray:
        if self.joint is None:
            return np.full(dosages.shape[1], np.nan)
        joint = joint or self._run(self.joint, dosages)
        span = len(self.joint.setup.spanning)
        return log10p_f(joint.joint_r2, span, joint.df + 1 - span)


def _variants(bed: Bed, path: PathLike | None) -> np.ndarray:
    """Positions in `bed.variants` of the variants to test, in order of position."""
    if path is None:
        rows = np.arange(len(bed.variants))
    else:
        table = pd.read_parquet(require(path, "the variants' quality control"))
        table = table[table["kept"]]
        rows = table["index"].to_numpy(np.int64)
        inside = len(rows) == 0 or rows.max() < len(bed.variants)
        if not inside or not (bed.variants["id"].to_numpy()[rows] == table["id"].to_numpy()).all():
            raise UserError(f"{path} does not describe {bed.path}: run the stage genotypes again")
        log.info("%d of %d variants passed quality control", len(rows), len(bed.variants))
    return rows[np.argsort(bed.variants["pos"].to_numpy()[rows], kind="stable")]


def tested_people(bed: Bed, phenotypes: PathLike, covariates: PathLike) -> People:
    """The people who have a feature, every covariate and a row in the genotypes, in the genotypes' order."""
    features = _table(phenotypes, "the phenotypes")
    design = _table(covariates, "the covariates of the phenotypes")
    if not features.shape[1]:
        raise UserError(f"{phenotypes} has no feature beside iid: add one column a feature")
    features = features.mask(np.isinf(features))
    design = design.mask(np.isinf(design))
    require_overlap(features.index, bed.people["iid"], f"the phenotypes ({phenotypes})", f"the genotypes ({bed.path})")
    require_overlap(features.index, design.index, f"the phenotypes ({phenotypes})", f"the covariates ({covariates})")
    some = features.index[features.notna().any(axis=1)]
    complete = some.intersection(design.index[design.notna().all(axis=1)], sort=False)
    rows = rows_of(complete, bed.people["iid"])
    tested = complete[rows >= 0][np.argsort(rows[rows >= 0])]
    log.info("%d people have phenotypes: %d without any feature, %d without all covariates and %d without genotypes "
             "are left out, %d are tested", len(features), len(features) - len(some), len(some) - len(complete),
             int((rows < 0).sum()), len(tested))  # fmt: skip
    if not len(tested):
        raise UserError(
            f"none of the {len(features)} people of {phenotypes} has a feature, every covariate of {covariates} and "
            f"genotypes in {bed.path}: see the counts in the log"
        )
    return People(np.sort(rows[rows >= 0]), features.loc[tested], design.loc[tested])


def _table(path: PathLike, what: str) -> pd.DataFrame:
    """A Parquet table of numbers, indexed by iid."""
    table = pd.read_parquet(require(path, what))
    if "iid" not in table.columns:
        raise UserError(f"{path} has no column iid: run the stage phenotypes again")
    require_unique(table["iid"].astype(str), path)
    table = table.set_index(table.pop("iid").astype(str))
    texts = _texts(table.columns, table)
    if texts:
        raise UserError(f"{path}: column {texts[0]} is not numeric: run the stage phenotypes again")
    return table.astype(np.float64)


def _texts(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    return [name for name in names if not pd.api.types.is_numeric_dtype(table[name])]
