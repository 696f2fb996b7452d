"""The table of sensitivity analyses of lead variants: for every lead variant its features, one row a fit."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import log_ndtr
from tqdm import tqdm

from contigwas.followup.fits import Fit, fit_joint, fit_one
from contigwas.followup.inputs import Study
from contigwas.genotypes.reader import GenotypeFiles
from contigwas.gwas.sex import FEMALE, MALE
from contigwas.loci.gwas_file import read_columns, read_rows
from contigwas.loci.table import VARIANT, match_variants
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
LEAD = ["locus", "chrom", "lead_id", "pos", "effect_allele", "other_allele"]
COLUMNS = [*LEAD, "feature", "fit", "n", "df", "beta", "se", "log10p", "difference", "agrees"]
SAME = 1e-4  # of a standard error: a refit must agree with the GWAS to this
NEAR = 2.0  # standard errors: effects with and without offsets that are this near agree


def write_followup(
    loci: PathLike,
    gwas: Mapping[str, PathLike],
    genotype_files: GenotypeFiles,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    offsets: PathLike | None = None,
) -> None:
    """Write followup.tsv (columns `COLUMNS`): every lead variant of `loci` against its features, one row a fit.

    `gwas` maps chromosomes to the GWAS Parquet files, `genotype_files` are the genotypes that it tested, `phenotypes`
    and `covariates` are its tables. `settings`: features (most features of a locus that are looked at: best_feature and
    those of the column features, the strongest first), p1 of the loci, missing of the GWAS and build of the genotypes.
    `offsets` is REGENIE's list that the GWAS took out of the features. The fits are those of docs/files.md; all are of
    samples with a call, a feature and every covariate. A header only where there is no locus. Raises UserError for files
    that do not belong together.
    """
    table = pd.read_csv(require(loci, "the loci"), sep="\t", dtype=str, keep_default_na=False)
    table[["locus", "pos"]] = table[["locus", "pos"]].astype(np.int64)
    table = table.rename(columns={"lead_id": "id"})
    cut = float(-np.log10(settings["p1"]))
    parts = []
    for chrom, here in tqdm(table.groupby("chrom", sort=False), "follow-up", disable=None):
        study = Study.read(genotype_files, chrom, phenotypes, covariates, settings, offsets)
        rows = match_variants(here, study.genotypes, loci)
        wanted = [_features(one, study.names, int(settings["features"]), phenotypes) for _, one in here.iterrows()]
        known = _known(gwas[chrom], here, sorted({name for names in wanted for name in names}))
        for (_, lead), row, names, (_, effects) in zip(here.iterrows(), rows, wanted, known.iterrows(), strict=True):
            dosage = study.dosage(row)
            found = [one for name in names for one in _fits(study, dosage, name, effects)] + _joint(study, dosage, cut)
            parts.append(pd.DataFrame(found).assign(**lead.rename({"id": "lead_id"})[LEAD]))
    result = pd.concat(parts, ignore_index=True).sort_values("locus", kind="stable") if parts else pd.DataFrame()
    _tell(result)
    write_tsv(_rounded(result.reindex(columns=COLUMNS)), output)


def _features(lead: pd.Series, names: list[str], most: int, phenotypes: PathLike) -> list[str]:
    """The features of a locus, the best first, at most `most`; UserError for one that the phenotypes have not."""
    found = list(dict.fromkeys(name for name in (lead["best_feature"], *lead["features"].split(",")) if name))
    odd = [name for name in found if name not in names]
    if odd:
        raise UserError(
            f"the loci name a feature {odd[0]}, which {phenotypes} has not: run the stage loci again (the name of a "
            "feature must hold no comma)"
        )
    return found[:most]


def _known(path: PathLike, leads: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """beta_ and se_ of the GWAS at each lead, in their order."""
    tested = read_columns(path, VARIANT).reset_index(names="row").drop_duplicates(VARIANT)
    rows = leads[VARIANT].merge(tested, on=VARIANT, how="left", validate="many_to_one")["row"]
    if rows.isna().any():
        raise UserError(f"{path} lacks {int(rows.isna().sum())} of {len(rows)} lead variants: run the stage loci again")
    columns = [f"{kind}_{name}" for name in names for kind in ("beta", "se")]
    return read_rows(path, rows.to_numpy(np.int64), ["n", *columns]).reindex(columns=columns).astype(np.float64)


def _fits(study: Study, dosage: np.ndarray, name: str, effects: pd.Series) -> list[dict]:
    """The rows of one feature; `effects` holds beta_<name> and se_<name> of the GWAS."""
    column = study.names.index(name)
    setup = next((one for one in study.plan.setups if column in one.features), None)
    if setup is None:
        return []
    called = ~np.isnan(dosage[setup.samples])
    samples, basis = setup.samples[called], setup.basis[called]
    values = study.outcome(setup, np.array([column]))[called, 0]
    classical, robust = fit_one(values, dosage[samples], basis)
    rows = [_row(name, "ols", classical), _row(name, "hc3", robust)]
    if study.exact or called.all():
        rows[0] |= _compared(classical, float(effects[f"beta_{name}"]), float(effects[f"se_{name}"]))
    by_sex = {}
    for fit, code in (("males", MALE), ("females", FEMALE)):
        those = study.sex[samples] == code
        if those.any():
            by_sex[fit] = fit_one(values[those], dosage[samples][those], basis[those])[0]
            rows.append(_row(name, fit, by_sex[fit]))
    if len(by_sex) == 2:
        rows.append(_row(name, "sex_difference", _contrast(*by_sex.values())))
    if study.offsets is not None:
        values = study.outcome(setup, np.array([column]), offsets=False)[called, 0]
        without = fit_one(values, dosage[samples], basis)[0]
        rows.append(_row(name, "without_offsets", without) | _near(without, classical))
    return rows


def _row(feature: str, fit: str, found: Fit) -> dict:
    return {"feature": feature, "fit": fit, **vars(found), "difference": np.nan, "agrees": pd.NA}


def _compared(found: Fit, beta: float, se: float) -> dict:
    """How far the refit is from the GWAS's beta, in the GWAS's se, and whether beta and se are the same.

    Nothing is said where the GWAS stored no effect.
    """
    if np.isnan(beta) or np.isnan(se):
        return {}
    difference = (found.beta - beta) / se
    return {"difference": difference, "agrees": int(abs(difference) <= SAME and abs(found.se / se - 1) <= SAME)}


def _near(found: Fit, other: Fit) -> dict:
    """How far two fits of the same samples are apart, in the other's se, and whether they tell of the same effect."""
    if np.isnan(found.beta) or np.isnan(other.beta):
        return {}
    difference = (found.beta - other.beta) / other.se
    return {"difference": difference, "agrees": int(found.beta * other.beta > 0 and abs(difference) <= NEAR)}


def _contrast(one: Fit, other: Fit) -> Fit:
    """The difference of two independent effects, and -log10 p of its z."""
    beta, se = one.beta - other.beta, float(np.hypot(one.se, other.se))
    log10p = -(np.log(2) + log_ndtr(-abs(beta / se))) / np.log(10)
    return Fit(one.n + other.n, one.df + other.df, beta, se, log10p)


def _joint(study: Study, dosage: np.ndarray, cut: float) -> list[dict]:
    """The rows of the tests over all features; the robust one agrees where it reaches p1 if the classical one does."""
    setup = study.plan.joint
    if setup is None:
        return []
    called = ~np.isnan(dosage[setup.samples])
    samples = setup.samples[called]
    features = setup.features[setup.spanning]
    found = fit_joint(study.outcome(setup, features)[called], dosage[samples], setup.basis[called])
    rows = [
        _row("", fit, Fit(found.n, found.span, log10p=log10p))
        for fit, log10p in (("manova", found.classical), ("manova_hc3", found.robust))
    ]
    if not np.isnan(found.robust):
        rows[1]["agrees"] = int((found.robust >= cut) == (found.classical >= cut))
    return rows


def _tell(table: pd.DataFrame) -> None:
    """Log how many loci were looked at, and what does not agree."""
    if table.empty:
        log.info("no locus to look at")
        return
    log.info("%d loci, %d rows", table["locus"].nunique(), len(table))
    for fit, what in (
        (
            "ols",
            "refits of a feature differ from the GWAS by more than 1e-4 of a standard error: see the column agrees",
        ),
        ("without_offsets", "effects differ without the offsets in sign, or by more than 2 standard errors"),
        ("manova_hc3", "loci are significant by MANOVA or by its robust form, and not by both: see manova_hc3"),
    ):
        count = int((table.loc[table["fit"] == fit, "agrees"] == 0).sum())
        if count:
            log.warning("%d %s", count, what)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Ten significant digits."""
    for name in ("beta", "se", "log10p", "difference"):
        table[name] = [float(f"{value:.10g}") for value in table[name].astype(np.float64)]
    return table
