"""The GWAS of one chromosome: every feature on every variant, in one pass over the genotypes."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.reader import Genotypes, open_genotypes
from contigwas.genotypes.sex import code_males, x_linked
from contigwas.gwas.counts import Counts, count
from contigwas.gwas.design import design
from contigwas.gwas.engine import FLAGS
from contigwas.gwas.offsets import read_offsets
from contigwas.gwas.output import NUMBERS, OMNIBUS, gwas_table
from contigwas.gwas.people import People, tested_people
from contigwas.gwas.sexes import MALE, sexes
from contigwas.gwas.summary import Histogram
from contigwas.gwas.tester import Tester
from contigwas.gwas.transfer import on_device

log = logging.getLogger(__name__)
CELLS = 2**25  # genotypes read at a time
LARGEST_BLOCK = 4096  # variants
NUMBERS_AT_ONCE = {"cpu": 2**16, "cuda": 2**24}  # effects of variants tested together: what the caches hold
IDENTITY = ["chrom", "pos", "id", "effect_allele", "other_allele"]


@dataclass(frozen=True)
class Settings:
    """How to test.

    Attributes:
        missing: what a missing call is, `exact` (the person is left out) or `mean`.
        tests: over features.
        min_ac: least minor-allele count among the people called.
        maf, info: least minor-allele frequency, and least MaCH r2 of dosages, among the tested people.
        columns: which numbers of every feature to store; None is all.
        max_p: effects with a larger p are left empty; None keeps all.
        build: of the genome, which tells where X is pseudo-autosomal.
        offsets: REGENIE's list of leave-one-chromosome-out predictions, or None.
    """

    missing: str = "exact"
    tests: tuple[str, ...] = OMNIBUS
    min_ac: int = 0
    maf: float = 0.0
    info: float = 0.0
    columns: tuple[str, ...] | None = None
    max_p: float | None = None
    build: str = "GRCh37"
    offsets: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Settings":
        """From the config's block `gwas` (and genotypes.build); UserError for what makes no sense."""
        columns = settings.get("columns")
        for key, given, known in (("tests", settings["tests"], OMNIBUS), ("columns", columns or (), NUMBERS)):
            unknown = [one for one in given if one not in known]
            if unknown:
                raise UserError(f"config: gwas.{key} names {unknown[0]}: {key} are {', '.join(known)}")
        if settings["missing"] not in ("exact", "mean"):
            raise UserError(f"config: gwas.missing is {settings['missing']}: missing is exact or mean")
        return cls(
            settings["missing"],
            tuple(settings["tests"]),
            int(settings["min_ac"]),
            float(settings["qc"]["maf"]),
            float(settings["qc"].get("info", 0.0)),
            None if columns is None else tuple(columns),
            settings.get("max_p"),
            settings.get("build", "GRCh37"),
            settings.get("offsets"),
        )


def write_gwas(
    pattern: PathLike,
    chrom: object,
    variants: PathLike | None,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    output_summary: PathLike,
    *,
    threads: int | None = None,
    device: str = "cpu",
    block: int | None = None,
) -> None:
    """Test every feature on every kept variant of `chrom`: one row a variant, in order of position.

    `pattern` names the genotypes (.bed, .pgen or .bgen); `variants` is the quality control of the chromosome (None: all
    variants are tested); `phenotypes` and `covariates` are tables with `iid` and numeric columns. `settings` are those
    of `Settings`; variants below its frequency or imputation quality among the tested people are left out and counted.
    `threads` decode, `device` (cpu or cuda) computes, `block` variants are read at a time: the results do not depend
    on them. `output_summary` holds the histograms of -log10 p of all tests. The columns are those of docs/files.md; a
    row that cannot be tested says why in `flag`. On X outside the pseudo-autosomal regions males count 0 or 2, and sex
    is a covariate. Raises UserError when files do not belong together, share nobody, or leave nothing to test.
    """
    options = Settings.of(settings)
    genotypes = open_genotypes(pattern, chrom, threads)
    rows = _variants(genotypes, variants)
    people = tested_people(genotypes, phenotypes, covariates)
    names = list(people.features.columns)
    reserved = [name for name in names if name in OMNIBUS]
    if reserved:
        raise UserError(f"{phenotypes}: a feature is called {reserved[0]}, which is the name of a test: rename it")
    places = Variants.of(genotypes, rows, people, options)
    table, columns = places.covariates(people)
    offsets = read_offsets(options.offsets, chrom, names, people.features.index) if options.offsets else None
    plan = design(table, columns, people.features.to_numpy(np.float64), names, offsets)
    tester = Tester(
        plan,
        names,
        len(people.rows),
        tests=options.tests,
        missing=options.missing,
        min_ac=options.min_ac,
        device=device,
    )
    histogram = Histogram([*names, *tester.tests], tester.device)
    notes = {
        "people": len(people.rows),
        "features": len(names),
        "covariates": plan.covariates,
        "missing": options.missing,
        "maf": options.maf,
        "info": options.info if genotypes.has_dosages else None,
        "max_p": options.max_p,
        "offsets": options.offsets is not None,
    }
    left_out, flags = np.zeros(2, np.int64), np.zeros(len(FLAGS), np.int64)
    form = {
        "features": names,
        "partial": tester.partial,
        "tests": tester.tests,
        "columns": options.columns,
        "least_log10p": None if options.max_p is None else -np.log10(options.max_p),
    }
    with (
        gwas_table(output, notes, **form) as tables,
        tqdm(total=len(rows), desc=f"gwas, chromosome {chrom}", unit=" variants", disable=None) as progress,
    ):
        size = block or int(np.clip(CELLS // len(people.rows), 1, LARGEST_BLOCK))
        for part, values, counted, linked in places.blocks(size, tester, options, left_out):
            results = tester(values, counted, places.males, linked)
            histogram.add(results.log10p)
            histogram.add(results.omnibus, first=len(names))
            flag = results.flag.cpu().numpy()
            flags += np.bincount(flag, minlength=len(FLAGS))
            described = {name: places.identity[name][part] for name in IDENTITY}
            described |= {"eaf": _array(counted[0].eaf), "n": counted[0].called.cpu().numpy(), "flag": FLAGS[flag]}
            numbers = [_array(getattr(results, kind)) for kind in NUMBERS]
            tables.append(described, numbers, results.partial_n.cpu().numpy(), _array(results.omnibus))
            progress.update(len(part))
        notes |= {"variants": tables.rows, "variants_below_maf": int(left_out[0])}
        notes |= {"variants_below_info": int(left_out[1]), "male_heterozygotes": places.hets}
        histogram.write(output_summary)
    notes["emptied"] = tables.emptied
    _tell(chrom, notes, options, flags)


def _array(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy()


def _tell(chrom: object, notes: Mapping[str, object], options: Settings, flags: np.ndarray) -> None:
    log.info("chromosome %s: %d variants tested, %d left out below a minor-allele frequency of %g among the %d tested "
             "people", chrom, notes["variants"], notes["variants_below_maf"], options.maf, notes["people"])  # fmt: skip
    if notes["info"] is not None:
        log.info("chromosome %s: %d variants left out below an imputation r2 of %g", chrom,
                 notes["variants_below_info"], options.info)  # fmt: skip
    if notes["male_heterozygotes"]:
        log.warning("chromosome %s: %d heterozygous calls of males are taken as missing", chrom,
                    notes["male_heterozygotes"])  # fmt: skip
    if options.max_p is not None:
        log.info("chromosome %s: %d effects with p above %g are left empty", chrom, notes["emptied"], options.max_p)
    for name, number in zip(FLAGS[1:], flags[1:], strict=True):
        if number:
            log.info("chromosome %s: %d variants are %s", chrom, number, name)


class Variants:
    """The variants to test, in order of position, read for the tested people.

    Attributes:
        identity: arrays of the columns `IDENTITY`.
        males: who is male, bool (people,), on the device; None where the chromosome has no X-linked variant.
        hets: heterozygous calls of males met so far.
    """

    def __init__(self, genotypes: Genotypes, rows: np.ndarray, people: People, linked: np.ndarray) -> None:
        """`rows` in `genotypes.variants`; `linked`: whether each is X-linked, bool."""
        self.genotypes, self.rows, self.people, self.linked = genotypes, rows, people.rows, linked
        described = genotypes.variants.iloc[rows]
        self.identity = {name: described[name].to_numpy() for name in IDENTITY}
        self.males: torch.Tensor | None = None
        self.hets = 0
        self._sex = np.zeros(len(people.rows), np.int64)
        if linked.any():
            self._sex = sexes(genotypes.people["sex"].to_numpy()[people.rows], people.covariates)
            self.males = torch.from_numpy(self._sex == MALE)

    @classmethod
    def of(cls, genotypes: Genotypes, rows: np.ndarray, people: People, options: Settings) -> "Variants":
        """With what is X-linked by `options.build`."""
        described = genotypes.variants.iloc[rows]
        linked = np.zeros(len(rows), bool)
        for chrom in described["chrom"].unique():
            here = (described["chrom"] == chrom).to_numpy()
            linked[here] = x_linked(chrom, described["pos"].to_numpy()[here], options.build)
        return cls(genotypes, rows, people, linked)

    def covariates(self, people: People) -> tuple[np.ndarray, list[str]]:
        """The covariates, float64 (people, q), and their names: on X with sex, as in plink2, unless they tell it."""
        values, names = people.covariates.to_numpy(np.float64), list(people.covariates.columns)
        if self.males is None:
            return values, names
        unknown = self._sex == 0
        if unknown.any():
            log.warning("%d people of unknown sex have no genotype on X outside the pseudo-autosomal regions",
                        int(unknown.sum()))  # fmt: skip
        sex = np.where(unknown, self._sex[~unknown].mean() if (~unknown).any() else 0.0, self._sex).astype(np.float64)
        centred = np.column_stack([np.ones(len(sex)), values])
        left = sex - centred @ np.linalg.lstsq(centred, sex, rcond=None)[0]
        if (left**2).sum() <= 1e-8 * len(sex):
            return values, names
        log.info("sex is a covariate on X")
        return np.column_stack([values, sex]), [*names, "sex (of the genotypes)"]

    def blocks(
        self, size: int, tester: Tester, options: Settings, left_out: np.ndarray
    ) -> Iterator[tuple[np.ndarray, torch.Tensor, tuple[Counts, torch.Tensor, torch.Tensor], torch.Tensor | None]]:
        """Yield (places among the variants, dosages (B, people), their counts, which are X-linked) of those to test.

        `size` variants are read at a time, as many tested together as caches hold; `left_out` counts those below the
        frequency and those below the imputation quality of `options`.
        """
        males = self.males = None if self.males is None else self.males.to(tester.device)
        step = int(np.clip(NUMBERS_AT_ONCE[tester.device.type] // max(len(tester.names), 1), 64, 8192))
        for places, read in on_device(self._coded(size), tester.device):
            for start in range(0, len(places), step):
                part, values = places[start : start + step], read[start : start + step]
                linked = None if males is None else torch.from_numpy(self.linked[part]).to(tester.device)
                counted = count(values, males, linked)
                common, good = _passing(counted[0], options, values.is_floating_point())
                left_out += [int((~common).sum()), int((common & ~good).sum())]
                kept = common & good
                if not kept.any():
                    continue
                if not kept.all():
                    part, values = part[kept.cpu().numpy()], values[kept]
                    linked = None if linked is None else linked[kept]
                    counted = count(values, males, linked)
                yield part, values, counted, linked

    def _coded(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of the genotypes (people, B) with their places among the variants, males as X calls for."""
        start = 0
        for part, block in self.genotypes.blocks(self.rows, self.people, size, dosages=True):
            places = np.arange(start, start + len(part))
            start += len(part)
            if self.males is not None:
                block, hets = code_males(block, self._sex == MALE, self._sex == 0, self.linked[places])
                self.hets += hets
            yield places, block


def _passing(counts: Counts, options: Settings, dosages: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Which variants are common enough, and which are imputed well enough (hard calls are)."""
    eaf = counts.eaf
    common = ~(torch.minimum(eaf, 1 - eaf) < options.maf)
    if options.maf > 0:
        common &= ~eaf.isnan()
    good = ~(counts.info < options.info) if dosages else torch.ones_like(common)
    return common, good


def _variants(genotypes: Genotypes, path: PathLike | None) -> np.ndarray:
    """Positions in `genotypes.variants` of the variants to test, in order of position."""
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
