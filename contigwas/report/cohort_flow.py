"""The cohort flow: how many samples, variants and images there were at each step, and why the others left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from contigwas.config.settings import folds
from contigwas.privacy.small_counts import hidden, reported
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table

REASONS = {
    "maf": "rare: a low minor-allele frequency",
    "hwe": "out of Hardy-Weinberg equilibrium",
    "call rate": "too few calls",
    "info": "poorly imputed",
    "duplicate": "twice in the file",
    "heterozygosity": "unusual heterozygosity",
    "sex": "another sex by X than in the tables",
    "ancestry": "of another ancestry",
    "not in keep": "not in the list of samples to keep",
    "no genotypes": "without genotypes",
    "darkest": "among the darkest",
    "brightest": "among the brightest",
}


@dataclass(frozen=True)
class Step:
    """So many were there; `left` are those who went away before the next step, by reason: a number, or what is reported."""

    label: str
    count: int
    left: Sequence[tuple[str, int | str]] = ()


def samples_flow(
    candidates: PathLike, cohort: PathLike, tested: Mapping[str, int]
) -> tuple[list[Step], pd.DataFrame, pd.DataFrame]:
    """The steps of the samples, in how many sources they are (source, samples), and how many each model tests.

    The last table (model, tested, not tested) has `tested` samples of those eligible; `why_untested` has the reason.
    Few samples are not counted, but in the steps themselves.
    """
    named = read_table(candidates, ["iid"])
    kept = read_table(cohort, ["iid", "exclusion"])
    excluded = kept["exclusion"].fillna("").astype(str)
    inside, eligible = int((excluded == "").sum()), int(kept["gwas_included"].sum())
    reasons = [(str(why), int(count)) for why, count in excluded[excluded != ""].value_counts().items()]
    steps = [
        Step("named by any input", len(named), _told(reasons)),
        Step("in the cohort", inside, _told([("related to somebody who is tested", inside - eligible)])),
        Step("eligible for testing", eligible),
    ]
    sources = [name for name in named.columns if name not in ("fid", "iid", "sex")]
    return (
        [_worded(step) for step in steps],
        pd.DataFrame({"source": sources, "samples": [hidden(named[name].sum()) for name in sources]}),
        pd.DataFrame(
            {
                "model": list(tested),
                "tested": list(tested.values()),
                "not tested": [hidden(eligible - n) for n in tested.values()],
            }
        ),
    )


def why_untested(config: Mapping) -> str:
    """Why a model does not test everybody who is eligible.

    One network that saw genotypes, or one of another study, tests nobody of its training; cross-fitted ones test all.
    """
    trained_on = any(
        "apply" in recipe or ("method" in recipe and recipe.get("modalities") and folds(config, name) == 1)
        for name, recipe in config["models"].items()
    )
    lacking = "the others lack an image, a covariate or a feature"
    return f"{lacking}, or were in the network's training" if trained_on else lacking


def variant_flow(variants: Mapping[str, PathLike]) -> pd.DataFrame:
    """How many variants of each chromosome were kept, and why the others left: one row a chromosome."""
    rows = []
    for chrom, path in variants.items():
        reasons = pd.read_parquet(path, columns=["reason"])["reason"].value_counts().rename({"": "kept"})
        rows.append({"chromosome": chrom, "variants": int(reasons.sum()), **reasons.to_dict()})
    return pd.DataFrame(rows).fillna(0).astype({"chromosome": str}).convert_dtypes()


def variant_steps(variants: pd.DataFrame, external: bool) -> list[Step]:
    """The steps of the variants, all chromosomes together: those of the array and those kept.

    `external`: other genotypes than the array's are tested.
    """
    total = variants.drop(columns="chromosome").sum()
    left = [(str(why), int(count)) for why, count in total.items() if why not in ("variants", "kept")]
    kept = "kept for samples' quality control" if external else "kept"
    steps = [Step("in the genotypes", int(total["variants"]), left), Step(kept, int(total.get("kept", 0)))]
    return [_worded(step) for step in steps]


def image_steps(table: PathLike) -> list[Step]:
    """The steps of the images: those of the table and those kept; few of one reason are not counted."""
    reasons = pd.read_parquet(table, columns=["kept", "reason"])
    kept = reasons["kept"].astype(bool)
    left = [(str(why), int(count)) for why, count in reasons["reason"][~kept].value_counts().items()]
    return [_worded(Step("in the table", len(reasons), _told(left))), Step("kept", int(kept.sum()))]


def _told(left: Sequence[tuple[str, int]]) -> list[tuple[str, int | str]]:
    """The reasons with their counts as they may be reported: their sum is known from the steps."""
    return list(zip([why for why, _ in left], reported([count for _, count in left]), strict=True))


def _worded(step: Step) -> Step:
    """The reasons in words, without those that took nobody."""
    return Step(step.label, step.count, [(REASONS.get(why, why), count) for why, count in step.left if count])
