"""The burden of the genes of one chromosome."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.carriers import collapse, read_rare
from contigwas.burden.names import REPEATED, UNKNOWN, Names
from contigwas.burden.rules import Rules
from contigwas.burden.variant_masks import Members
from contigwas.genotypes.interface import Genotypes

# why a variant of a set does not qualify; the first that applies
REASONS = ("", "not annotated", "category", "not in genotypes", "duplicate id", "not called", "no aaf", "missing calls",
           "frequency", "no carrier", "not singleton")  # fmt: skip
CODE = {reason: np.int8(number) for number, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Burden:
    """The burden of some genes.

    values: int32 CSC (samples, features); features: DataFrame, a row a feature; reasons: how many pairs of a variant of
    a set and a mask do not qualify, by reason.
    """

    values: sparse.csc_array
    features: pd.DataFrame
    reasons: dict[str, int]


def burden_of(
    bed: Genotypes, names: Names, samples: np.ndarray, members: Members, rules: Rules, aaf: pd.DataFrame | None
) -> Burden:
    """The burden of every gene of `members` under every mask of `rules` for `samples` (positions in `bed.samples`).

    `aaf` are user-supplied frequencies by variant, which decide instead of those among `samples`. The features' columns:
    `gene mask chrom pos carriers variants missing dropped`, as `write_burden` says.
    """
    chosen = members.masks.any(axis=0) & (members.row >= 0)
    variants, column = np.unique(members.row[chosen], return_inverse=True)
    given, forced = _given(aaf, names, variants)
    rare = read_rare(bed, variants, samples, rules.max_aaf, given)

    of_variant = _reasons(rare.frequency, rare.missing / max(samples.size, 1), given, rules)
    common = np.zeros(len(members.row), np.int8)
    common[members.row == UNKNOWN] = CODE["not in genotypes"]
    common[members.row == REPEATED] = CODE["duplicate id"]
    common[chosen] = of_variant[column]
    alone = np.zeros(len(members.row), bool)
    alone[chosen] = ((rare.alleles == 1) if forced is None else forced)[column]
    place = np.full(len(members.row), -1)
    place[chosen] = column

    masks, kinds = rules.features, 2 if rules.singletons else 1
    count = len(members.genes) * len(masks)
    tally = np.zeros((count, len(REASONS)), np.int64)
    missing = np.zeros(count, np.int64)
    columns, features = [], []
    for number in range(len(masks)):
        reason = np.where(members.masks[number // kinds], common, CODE["category"])
        reason[~members.annotated] = CODE["not annotated"]
        if number % kinds:
            reason[(reason == 0) & ~alone] = CODE["not singleton"]
        feature = members.gene * len(masks) + number
        flat = np.bincount(feature * len(REASONS) + reason, minlength=tally.size)
        tally += flat.reshape(tally.shape)
        used = np.flatnonzero(reason == 0)
        missing += np.bincount(feature[used], rare.missing[place[used]], minlength=count).astype(np.int64)
        columns.append(place[used])
        features.append(feature[used])
    values = collapse(rare.dosages, np.concatenate(columns), np.concatenate(features), count, rules.statistic)
    described = pd.DataFrame(
        {
            "gene": np.repeat(members.genes["gene"].to_numpy(dtype=object), len(masks)),
            "mask": np.tile(np.array(masks, dtype=object), len(members.genes)),
            "chrom": names.chrom,
            "pos": np.repeat(members.genes["pos"].to_numpy(np.int64), len(masks)),
            "carriers": np.diff(values.indptr).astype(np.int64),
            "variants": tally[:, 0],
            "missing": missing,
            "dropped": [_told(row) for row in tally],
        }
    )
    return Burden(values, described, _counts(tally.sum(axis=0)))


def _given(aaf: pd.DataFrame | None, names: Names, variants: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The user-supplied frequencies of some variants, NaN where there is none, and which are singletons by the file."""
    if aaf is None:
        return None, None
    place = names.places_in(aaf.index, variants)
    known = place >= 0
    frequency, single = np.full(variants.size, np.nan), np.zeros(variants.size, bool)
    frequency[known] = aaf["aaf"].to_numpy()[place[known]]
    if "singleton" not in aaf:
        return frequency, None
    single[known] = aaf["singleton"].to_numpy()[place[known]]
    return frequency, single


def _reasons(frequency: np.ndarray, missing: np.ndarray, given: np.ndarray | None, rules: Rules) -> np.ndarray:
    """Why a variant that was read does not qualify for any mask: int8 (variants,), 0 where it does."""
    deciding = frequency if given is None else given
    checks = {
        "not called": np.isnan(frequency),
        "no aaf": np.isnan(deciding),
        "missing calls": missing > rules.max_missing,
        "frequency": deciding > rules.max_aaf,
        "no carrier": frequency == 0,
    }
    reason = np.zeros(frequency.size, np.int8)
    for why, fails in checks.items():
        reason[fails & (reason == 0)] = CODE[why]
    return reason


def _counts(row: np.ndarray) -> dict[str, int]:
    return {REASONS[code]: int(row[code]) for code in np.flatnonzero(row) if code}


def _told(row: np.ndarray) -> str:
    return json.dumps(_counts(row))
