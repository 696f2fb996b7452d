"""Table of the sensitivity analyses of lead variants: one row per lead variant, feature and fit."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import log_ndtr
from tqdm import tqdm

from contigwas.followup.fits import Fit, fit_joint, fit_one
from contigwas.followup.inputs import ChromosomeInputs
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
MAX_REFIT_DIFFERENCE = 1e-4  # standard errors between a refit and the GWAS
MAX_OFFSET_DIFFERENCE = 2.0  # standard errors between effects with and without offsets


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
    """Write followup.tsv with the columns `COLUMNS`: one row per lead variant, feature and fit.

    Args:
        loci: loci.tsv.
        gwas: Parquet files of the GWAS by chromosome.
        genotype_files: the genotypes that the GWAS tested.
        phenotypes: phenotypes of the GWAS.
        covariates: covariates of the GWAS.
        settings: features (maximum number of features per locus: best_feature, then those of the column features), p1
            of the loci, missing of the GWAS, and build of the genotypes.
        output: path of followup.tsv. It has only a header if there is no locus.
        offsets: list of REGENIE predictions that the GWAS subtracted from the features.

    docs/outputs.md describes the fits. All use samples with a call, the feature and every covariate. Raises UserError
    for files that do not match.
    """
    table = pd.read_csv(require(loci, "the loci"), sep="\t", dtype=str, keep_default_na=False)
    table[["locus", "pos"]] = table[["locus", "pos"]].astype(np.int64)
    table = table.rename(columns={"lead_id": "id"})
    min_log10p = float(-np.log10(settings["p1"]))
    parts = []
    for chrom, lead_variants in tqdm(table.groupby("chrom", sort=False), "sensitivity analyses", disable=None):
        inputs = ChromosomeInputs.read(genotype_files, chrom, phenotypes, covariates, settings, offsets)
        rows = match_variants(lead_variants, inputs.genotypes, loci)
        wanted = [
            _features(one, inputs.names, int(settings["features"]), phenotypes) for _, one in lead_variants.iterrows()
        ]
        gwas_effects = _gwas_effects(gwas[chrom], lead_variants, sorted({name for names in wanted for name in names}))
        for (_, lead), row, names, (_, effects) in zip(
            lead_variants.iterrows(), rows, wanted, gwas_effects.iterrows(), strict=True
        ):
            dosage = inputs.dosage(row)
            found = [one for name in names for one in _fits(inputs, dosage, name, effects)] + _joint(
                inputs, dosage, min_log10p
            )
            parts.append(pd.DataFrame(found).assign(**lead.rename({"id": "lead_id"})[LEAD]))
    result = pd.concat(parts, ignore_index=True).sort_values("locus", kind="stable") if parts else pd.DataFrame()
    _log_summary(result)
    write_tsv(_rounded(result.reindex(columns=COLUMNS)), output)


def _features(lead: pd.Series, names: list[str], max_features: int, phenotypes: PathLike) -> list[str]:
    """Return at most `max_features` features of a locus, the best first; UserError if one is not in the phenotypes."""
    found = list(dict.fromkeys(name for name in (lead["best_feature"], *lead["features"].split(",")) if name))
    unknown = [name for name in found if name not in names]
    if unknown:
        raise UserError(
            f"{phenotypes}: no feature {unknown[0]}, which the loci name. Run the stage loci again, and use no comma "
            "in the name of a feature"
        )
    return found[:max_features]


def _gwas_effects(path: PathLike, lead_variants: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return beta and se of the GWAS for the features `names` at each lead variant, in their order."""
    tested = read_columns(path, VARIANT).reset_index(names="row").drop_duplicates(VARIANT)
    rows = lead_variants[VARIANT].merge(tested, on=VARIANT, how="left", validate="many_to_one")["row"]
    if rows.isna().any():
        raise UserError(
            f"{path}: {int(rows.isna().sum())} of {len(rows)} lead variants are missing. Run the stage loci again"
        )
    columns = [f"{kind}_{name}" for name in names for kind in ("beta", "se")]
    return read_rows(path, rows.to_numpy(np.int64), ["n", *columns]).reindex(columns=columns).astype(np.float64)


def _fits(inputs: ChromosomeInputs, dosage: np.ndarray, name: str, effects: pd.Series) -> list[dict]:
    """Return the rows of one feature; `effects` holds beta_<name> and se_<name> of the GWAS."""
    column = inputs.names.index(name)
    setup = next((one for one in inputs.plan.setups if column in one.features), None)
    if setup is None:
        return []
    called = ~np.isnan(dosage[setup.samples])
    samples, basis = setup.samples[called], setup.basis[called]
    values = inputs.outcome(setup, np.array([column]))[called, 0]
    classical, robust = fit_one(values, dosage[samples], basis)
    rows = [_row(name, "ols", classical), _row(name, "hc3", robust)]
    if inputs.exact or called.all():
        rows[0] |= _compare_with_gwas(classical, float(effects[f"beta_{name}"]), float(effects[f"se_{name}"]))
    by_sex = {}
    for fit, code in (("males", MALE), ("females", FEMALE)):
        of_sex = inputs.sex[samples] == code
        if of_sex.any():
            by_sex[fit] = fit_one(values[of_sex], dosage[samples][of_sex], basis[of_sex])[0]
            rows.append(_row(name, fit, by_sex[fit]))
    if len(by_sex) == 2:
        rows.append(_row(name, "sex_difference", _contrast(*by_sex.values())))
    if inputs.offsets is not None:
        values = inputs.outcome(setup, np.array([column]), offsets=False)[called, 0]
        without = fit_one(values, dosage[samples], basis)[0]
        rows.append(_row(name, "without_offsets", without) | _compare_fits(without, classical))
    return rows


def _row(feature: str, fit: str, found: Fit) -> dict:
    """Return a row of the table."""
    return {"feature": feature, "fit": fit, **vars(found), "difference": np.nan, "agrees": pd.NA}


def _compare_with_gwas(found: Fit, beta: float, se: float) -> dict:
    """Return the difference of the refit from the GWAS, in standard errors, and whether beta and se agree.

    The result is empty if the GWAS stored no effect.
    """
    if np.isnan(beta) or np.isnan(se):
        return {}
    difference = (found.beta - beta) / se
    return {
        "difference": difference,
        "agrees": int(abs(difference) <= MAX_REFIT_DIFFERENCE and abs(found.se / se - 1) <= MAX_REFIT_DIFFERENCE),
    }


def _compare_fits(found: Fit, other: Fit) -> dict:
    """Return the difference of two fits in standard errors of `other`, and whether their effects agree."""
    if np.isnan(found.beta) or np.isnan(other.beta):
        return {}
    difference = (found.beta - other.beta) / other.se
    return {
        "difference": difference,
        "agrees": int(found.beta * other.beta > 0 and abs(difference) <= MAX_OFFSET_DIFFERENCE),
    }


def _contrast(one: Fit, other: Fit) -> Fit:
    """Return the difference of two independent effects, with -log10 p of its z-test."""
    beta, se = one.beta - other.beta, float(np.hypot(one.se, other.se))
    log10p = -(np.log(2) + log_ndtr(-abs(beta / se))) / np.log(10)
    return Fit(one.n + other.n, one.df + other.df, beta, se, log10p)


def _joint(inputs: ChromosomeInputs, dosage: np.ndarray, min_log10p: float) -> list[dict]:
    """Return the rows of the joint tests; the robust test agrees if both reach the threshold, or neither."""
    setup = inputs.plan.joint
    if setup is None:
        return []
    called = ~np.isnan(dosage[setup.samples])
    samples = setup.samples[called]
    features = setup.features[setup.spanning]
    found = fit_joint(inputs.outcome(setup, features)[called], dosage[samples], setup.basis[called])
    rows = [
        _row("", fit, Fit(found.n, found.span, log10p=log10p))
        for fit, log10p in (("manova", found.classical), ("manova_hc3", found.robust))
    ]
    if not np.isnan(found.robust):
        rows[1]["agrees"] = int((found.robust >= min_log10p) == (found.classical >= min_log10p))
    return rows


def _log_summary(table: pd.DataFrame) -> None:
    """Log the number of loci and the results that do not agree."""
    if table.empty:
        log.info("there are no loci")
        return
    log.info("%d loci, %d rows", table["locus"].nunique(), len(table))
    for fit, what in (
        (
            "ols",
            "refits of a feature differ from the GWAS by more than 1e-4 standard errors: see the column agrees",
        ),
        ("without_offsets", "effects without offsets have another sign or differ by more than 2 standard errors"),
        ("manova_hc3", "loci are significant in only one of MANOVA and its robust form: see manova_hc3"),
    ):
        count = int((table.loc[table["fit"] == fit, "agrees"] == 0).sum())
        if count:
            log.warning("%d %s", count, what)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Round the numbers to ten significant digits."""
    for name in ("beta", "se", "log10p", "difference"):
        table[name] = [float(f"{value:.10g}") for value in table[name].astype(np.float64)]
    return table
