"""Compute the burden of the genes of one chromosome."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.carriers import collapse, read_rare
from contigwas.burden.names import DUPLICATE, UNKNOWN, VariantNames
from contigwas.burden.rules import Rules
from contigwas.burden.variant_masks import Members
from contigwas.genotypes.interface import Genotypes

# why a variant of a set does not qualify: the first that applies
REASONS = ("", "not annotated", "category", "not in genotypes", "duplicate id", "not called", "no aaf", "missing calls",
           "frequency", "no carrier", "not singleton")  # fmt: skip
CODE = {reason: np.int8(number) for number, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Burden:
    """The burden of the genes of one chromosome.

    Attributes:
        values: int32 CSC (samples, features).
        features: DataFrame, one row per feature.
        reasons: number of pairs of a variant and a mask that do not qualify, by reason.
    """

    values: sparse.csc_array
    features: pd.DataFrame
    reasons: dict[str, int]


def burden_of(
    genotypes: Genotypes,
    names: VariantNames,
    samples: np.ndarray,
    members: Members,
    rules: Rules,
    aaf: pd.DataFrame | None,
) -> Burden:
    """Compute the burden of every gene of `members` for every mask of `rules`.

    `samples` are positions in `genotypes.samples`. `aaf` are user-supplied frequencies by variant, which are used
    instead of those among `samples`. The columns of the features are `gene mask chrom pos carriers variants missing
    dropped`, as in `write_burden`.
    """
    chosen = members.masks.any(axis=0) & (members.row >= 0)
    variants, column = np.unique(members.row[chosen], return_inverse=True)
    given, given_singletons = _given(aaf, names, variants)
    rare = read_rare(genotypes, variants, samples, rules.max_aaf, given)

    read_reason = _reasons(rare.frequency, rare.missing / max(samples.size, 1), given, rules)
    mask_independent_reason = np.zeros(len(members.row), np.int8)
    mask_independent_reason[members.row == UNKNOWN] = CODE["not in genotypes"]
    mask_independent_reason[members.row == DUPLICATE] = CODE["duplicate id"]
    mask_independent_reason[chosen] = read_reason[column]
    is_singleton = np.zeros(len(members.row), bool)
    is_singleton[chosen] = ((rare.alleles == 1) if given_singletons is None else given_singletons)[column]
    column_of_pair = np.full(len(members.row), -1)
    column_of_pair[chosen] = column

    masks, features_per_mask = rules.features, 2 if rules.singletons else 1
    count = len(members.genes) * len(masks)
    counts_by_reason = np.zeros((count, len(REASONS)), np.int64)
    missing = np.zeros(count, np.int64)
    columns, features = [], []
    for number in range(len(masks)):
        reason = np.where(members.masks[number // features_per_mask], mask_independent_reason, CODE["category"])
        reason[~members.annotated] = CODE["not annotated"]
        if number % features_per_mask:
            reason[(reason == 0) & ~is_singleton] = CODE["not singleton"]
        feature = members.gene * len(masks) + number
        flat_counts = np.bincount(feature * len(REASONS) + reason, minlength=counts_by_reason.size)
        counts_by_reason += flat_counts.reshape(counts_by_reason.shape)
        used = np.flatnonzero(reason == 0)
        missing += np.bincount(feature[used], rare.missing[column_of_pair[used]], minlength=count).astype(np.int64)
        columns.append(column_of_pair[used])
        features.append(feature[used])
    values = collapse(rare.dosages, np.concatenate(columns), np.concatenate(features), count, rules.statistic)
    feature_table = pd.DataFrame(
        {
            "gene": np.repeat(members.genes["gene"].to_numpy(dtype=object), len(masks)),
            "mask": np.tile(np.array(masks, dtype=object), len(members.genes)),
            "chrom": names.chrom,
            "pos": np.repeat(members.genes["pos"].to_numpy(np.int64), len(masks)),
            "carriers": np.diff(values.indptr).astype(np.int64),
            "variants": counts_by_reason[:, 0],
            "missing": missing,
            "dropped": [_counts_json(row) for row in counts_by_reason],
        }
    )
    return Burden(values, feature_table, _counts(counts_by_reason.sum(axis=0)))


def _given(
    aaf: pd.DataFrame | None, names: VariantNames, variants: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return user-supplied frequencies of variants (NaN if missing), and which are singletons, or None for each."""
    if aaf is None:
        return None, None
    column_of_pair = names.places_in(aaf.index, variants)
    present = column_of_pair >= 0
    frequency, is_singleton = np.full(variants.size, np.nan), np.zeros(variants.size, bool)
    frequency[present] = aaf["aaf"].to_numpy()[column_of_pair[present]]
    if "singleton" not in aaf:
        return frequency, None
    is_singleton[present] = aaf["singleton"].to_numpy()[column_of_pair[present]]
    return frequency, is_singleton


def _reasons(frequency: np.ndarray, missing: np.ndarray, given: np.ndarray | None, rules: Rules) -> np.ndarray:
    """Return the code of why a variant does not qualify for any mask: int8 (variants,), 0 if it qualifies."""
    decisive_frequency = frequency if given is None else given
    checks = {
        "not called": np.isnan(frequency),
        "no aaf": np.isnan(decisive_frequency),
        "missing calls": missing > rules.max_missing,
        "frequency": decisive_frequency > rules.max_aaf,
        "no carrier": frequency == 0,
    }
    reason = np.zeros(frequency.size, np.int8)
    for why, fails in checks.items():
        reason[fails & (reason == 0)] = CODE[why]
    return reason


def _counts(row: np.ndarray) -> dict[str, int]:
    """Return the nonzero counts of a row by reason, without qualifying variants."""
    return {REASONS[code]: int(row[code]) for code in np.flatnonzero(row) if code}


def _counts_json(row: np.ndarray) -> str:
    """Return the counts by reason as JSON."""
    return json.dumps(_counts(row))
