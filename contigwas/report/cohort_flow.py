"""Cohort flow: numbers of samples, variants and images at each step, and reasons of exclusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from contigwas.config.settings import folds
from contigwas.privacy.small_counts import hidden, suppress_small_counts
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table

REASONS = {
    "maf": "low minor-allele frequency",
    "hwe": "not in Hardy-Weinberg equilibrium",
    "call rate": "low call rate",
    "info": "low imputation quality",
    "duplicate": "duplicated in the file",
    "heterozygosity": "outlying heterozygosity",
    "sex": "genetic sex differs from the reported sex",
    "ancestry": "other ancestry",
    "not in keep": "not in the list of samples to keep",
    "no genotypes": "no genotypes",
    "darkest": "among the darkest images",
    "brightest": "among the brightest images",
}


@dataclass(frozen=True)
class Step:
    """A step of the flow. `excluded` has the reasons of exclusion before the next step, with reported counts."""

    label: str
    count: int
    excluded: Sequence[tuple[str, int | str]] = ()


def samples_flow(
    candidates: PathLike, cohort: PathLike, tested: Mapping[str, int]
) -> tuple[list[Step], pd.DataFrame, pd.DataFrame]:
    """Return the steps of the samples, the table (source, samples) and the table (model, tested, not tested).

    `tested` has the number of tested samples of each model. `explain_untested` gives the reason for "not tested". Small
    counts are hidden, except those of the steps themselves.
    """
    listed = read_table(candidates, ["iid"])
    table = read_table(cohort, ["iid", "exclusion"])
    exclusion = table["exclusion"].fillna("").astype(str)
    included, eligible = int((exclusion == "").sum()), int(table["gwas_included"].sum())
    reasons = [(str(reason), int(count)) for reason, count in exclusion[exclusion != ""].value_counts().items()]
    steps = [
        Step("in any input", len(listed), _reportable(reasons)),
        Step("in the cohort", included, _reportable([("related to a tested sample", included - eligible)])),
        Step("eligible for testing", eligible),
    ]
    sources = [name for name in listed.columns if name not in ("fid", "iid", "sex")]
    return (
        [_with_texts(step) for step in steps],
        pd.DataFrame({"source": sources, "samples": [hidden(listed[name].sum()) for name in sources]}),
        pd.DataFrame(
            {
                "model": list(tested),
                "tested": list(tested.values()),
                "not tested": [hidden(eligible - n) for n in tested.values()],
            }
        ),
    )


def explain_untested(config: Mapping) -> str:
    """Return why a model does not test all eligible samples.

    A single network trained with genotypes, or a network of another study, does not test its training samples;
    cross-fitted networks test all samples.
    """
    trained_on = any(
        "apply" in recipe or ("method" in recipe and recipe.get("modalities") and folds(config, name) == 1)
        for name, recipe in config["models"].items()
    )
    reason = "the other samples have a missing image, covariate or feature"
    return f"{reason}, or the network was trained on them" if trained_on else reason


def variant_flow(variants: Mapping[str, PathLike]) -> pd.DataFrame:
    """Return the numbers of kept and excluded variants by reason, one row per chromosome."""
    rows = []
    for chrom, path in variants.items():
        reasons = pd.read_parquet(path, columns=["reason"])["reason"].value_counts().rename({"": "kept"})
        rows.append({"chromosome": chrom, "variants": int(reasons.sum()), **reasons.to_dict()})
    return pd.DataFrame(rows).fillna(0).astype({"chromosome": str}).convert_dtypes()


def variant_steps(variants: pd.DataFrame, external: bool) -> list[Step]:
    """Return the steps of the variants of all chromosomes: those in the array, and those kept.

    `external`: the GWAS tests other genotypes than those of the array.
    """
    total = variants.drop(columns="chromosome").sum()
    excluded = [(str(reason), int(count)) for reason, count in total.items() if reason not in ("variants", "kept")]
    kept = "kept for quality control of samples" if external else "kept"
    steps = [Step("in the genotypes", int(total["variants"]), excluded), Step(kept, int(total.get("kept", 0)))]
    return [_with_texts(step) for step in steps]


def image_steps(table: PathLike) -> list[Step]:
    """Return the steps of the images: those in the table, and those kept. Small counts of a reason are hidden."""
    reasons = pd.read_parquet(table, columns=["kept", "reason"])
    kept = reasons["kept"].astype(bool)
    excluded = [(str(reason), int(count)) for reason, count in reasons["reason"][~kept].value_counts().items()]
    return [_with_texts(Step("in the table", len(reasons), _reportable(excluded))), Step("kept", int(kept.sum()))]


def _reportable(counts: Sequence[tuple[str, int]]) -> list[tuple[str, int | str]]:
    """Return the reasons with small counts hidden; the sum of the counts is known from the steps."""
    return list(
        zip([reason for reason, _ in counts], suppress_small_counts([count for _, count in counts]), strict=True)
    )


def _with_texts(step: Step) -> Step:
    """Return the step with readable reasons, without reasons that excluded nothing."""
    excluded = [(REASONS.get(reason, reason), count) for reason, count in step.excluded if count]
    return Step(step.label, step.count, excluded)
