"""The expression modality: a table of samples x genes, cut to the cohort, on a log scale, in the order of the genome."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.expression.order import genomic, positions
from contigwas.expression.scale import blocks, logarithms, only_zeros, require_scale, without_value
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import write_modality
from contigwas.tables.sample_features import Asked, SampleTable, open_samples_table

log = logging.getLogger(__name__)
KEY = "expression.table"


def open_expression(path: PathLike, settings: Mapping[str, object]) -> SampleTable:
    """The table of the block `expression`; nothing is read yet."""
    asked = Asked(
        KEY,
        settings["id"],
        settings["drop"],
        "name the column of IIDs in expression.id",
        "name columns that are no genes in expression.drop, and write numbers, empty or NA where missing",
        "gene",
    )
    return open_samples_table(path, asked)


def write_expression(
    path: PathLike, genes: PathLike | None, cohort: PathLike, settings: Mapping[str, object], output: PathLike
) -> None:
    """Write the modality `expression`: float32 (samples, genes), NaN where missing.

    `settings` has scale (tpm, counts or log: see `logarithms`), id (the column of IIDs) and drop (columns that are no
    genes). Samples are those of the cohort who are not excluded, in the table's order; whoever has no value, or zeros
    alone where the scale is not log, is left out and counted. With `genes`, a list of genes, those that it has come
    first, in the order of the genome; the others, and all without a list, are in the table's order. `.var`: chrom and
    start (empty and NaN where unknown) and missing, the samples without a value. Nothing is fitted. Raises UserError for
    values that the scale cannot have, a gene or a sample twice, a table that is turned round, and where nobody is left.
    """
    table = open_expression(path, settings)
    everyone = read_cohort(cohort)
    iids_included = pd.Index(included(everyone)["iid"].astype(str))
    iids, values, listed = table.read(iids_included, f"the cohort ({cohort})")
    log.info("%s: %d samples, %d of them in the cohort of %d; %d genes", path, listed, len(iids), len(iids_included),
             len(table.features))  # fmt: skip
    scale = str(settings["scale"])
    require_scale(values, scale, table.path)
    iids, values, dropped = _measured(iids, values, scale, table)
    found = positions(table.features, genes)
    placed = int((found["chrom"] != "").sum())
    if genes is not None:
        log.info("%d of %d genes are in %s; %d are not, and stand after them", placed, len(found), genes,
                 len(found) - placed)  # fmt: skip
    order = genomic(found["chrom"], found["start"])
    features = found.iloc[order].assign(missing=_to_logarithms(values, scale, order))
    log.info("%d values of %d genes are missing", features["missing"].sum(), (features["missing"] > 0).sum())
    provenance = {
        "stage": "expression", "table": str(path), "genes": None if genes is None else str(genes), "scale": scale,
        "samples_in_file": listed, "samples_in_cohort": len(iids_included), **dropped, "n_samples": len(iids),
        "features": len(features), "features_placed": placed,
    }  # fmt: skip
    write_modality(output, values, iids, features, provenance)


def _measured(
    iids: pd.Index, values: np.ndarray, scale: str, table: SampleTable
) -> tuple[pd.Index, np.ndarray, dict[str, int]]:
    """The samples that were measured, and how many were not, by reason."""
    none = without_value(values)
    zeros = only_zeros(values) & ~none if scale != "log" else np.zeros_like(none)
    left = np.flatnonzero(~none & ~zeros)
    dropped = {"samples_without_value": int(none.sum()), "samples_with_zeros_alone": int(zeros.sum())}
    if len(left) == len(iids):
        return iids, values, dropped
    log.warning("%d samples have no value and %d have zeros alone: they are left out", *dropped.values())
    if not len(left):
        raise UserError(
            f"{table.path}: all values of the {len(iids)} samples of the cohort are zero or missing: correct the table"
        )
    for place, row in enumerate(left):  # in place: the values may take most of the memory
        values[place] = values[row]
    return iids[left], values[: len(left)], dropped


def _to_logarithms(values: np.ndarray, scale: str, order: np.ndarray) -> np.ndarray:
    """Take logarithms and order the genes, in place; how many samples miss each, in the new order: int64 (genes,)."""
    missing = np.zeros(values.shape[1], np.int64)
    for rows in blocks(values):
        values[rows] = logarithms(values[rows], scale)[:, order]
        missing += np.isnan(values[rows]).sum(axis=0)
    return missing
