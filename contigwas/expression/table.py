"""The expression modality: samples x genes of the cohort, on a log scale, in genome order."""

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
from contigwas.tables.sample_features import SampleTable, TableOptions, open_samples_table

log = logging.getLogger(__name__)
KEY = "expression.table"


def open_expression(path: PathLike, settings: Mapping[str, object]) -> SampleTable:
    """Return the table of the config block `expression`; it is not read yet."""
    options = TableOptions(
        KEY,
        settings["id"],
        settings["drop"],
        "Name the column of IIDs in expression.id",
        "Name columns that are not genes in expression.drop, and write numbers, empty or NA where missing",
        "gene",
    )
    return open_samples_table(path, options)


def write_expression(
    path: PathLike, genes: PathLike | None, cohort: PathLike, settings: Mapping[str, object], output: PathLike
) -> None:
    """Write the modality `expression`: float32 (samples, genes), NaN where missing.

    Args:
        path: table of samples x genes.
        genes: gene list, or None. Genes in the list come first, in genome order. The others, and all genes without a
            list, are in the order of the table.
        cohort: cohort.tsv. The samples are those that are not excluded, in the order of the table. Samples without a
            value, or with only zeros unless the scale is log, are left out and counted.
        settings: scale (tpm, counts or log: see `logarithms`), id (the column of IIDs) and drop (columns that are not
            genes).
        output: .h5ad file. `.var` has chrom and start (empty and NaN if unknown) and missing, the number of samples
            without a value.

    Raises UserError for values that do not match the scale, for duplicate genes or samples, for a transposed table, and
    if no sample is left.
    """
    table = open_expression(path, settings)
    all_samples = read_cohort(cohort)
    iids_included = pd.Index(included(all_samples)["iid"].astype(str))
    iids, values, listed = table.read(iids_included, f"the cohort ({cohort})")
    log.info("%s: %d samples, %d of them in the cohort of %d; %d genes", path, listed, len(iids), len(iids_included),
             len(table.features))  # fmt: skip
    scale = str(settings["scale"])
    require_scale(values, scale, table.path)
    iids, values, dropped = _measured(iids, values, scale, table)
    gene_positions = positions(table.features, genes)
    n_placed = int((gene_positions["chrom"] != "").sum())
    if genes is not None:
        log.info("%d of %d genes are in %s; the other %d follow them", n_placed, len(gene_positions), genes,
                 len(gene_positions) - n_placed)  # fmt: skip
    order = genomic(gene_positions["chrom"], gene_positions["start"])
    features = gene_positions.iloc[order].assign(missing=_to_logarithms(values, scale, order))
    log.info("%d values of %d genes are missing", features["missing"].sum(), (features["missing"] > 0).sum())
    provenance = {
        "stage": "expression", "table": str(path), "genes": None if genes is None else str(genes), "scale": scale,
        "samples_in_file": listed, "samples_in_cohort": len(iids_included), **dropped, "n_samples": len(iids),
        "features": len(features), "features_placed": n_placed,
    }  # fmt: skip
    write_modality(output, values, iids, features, provenance)


def _measured(
    iids: pd.Index, values: np.ndarray, scale: str, table: SampleTable
) -> tuple[pd.Index, np.ndarray, dict[str, int]]:
    """Return IIDs and values of the samples with measurements, and the numbers of samples left out, by reason."""
    without_values = without_value(values)
    zeros = only_zeros(values) & ~without_values if scale != "log" else np.zeros_like(without_values)
    kept = np.flatnonzero(~without_values & ~zeros)
    dropped = {"samples_without_value": int(without_values.sum()), "samples_with_zeros_alone": int(zeros.sum())}
    if len(kept) == len(iids):
        return iids, values, dropped
    log.warning("%d samples without a value and %d with only zeros are left out", *dropped.values())
    if not len(kept):
        raise UserError(
            f"{table.path}: all values of the {len(iids)} samples of the cohort are zero or missing. Correct the table"
        )
    for target, row in enumerate(kept):  # in place, because the values may take most of the memory
        values[target] = values[row]
    return iids[kept], values[: len(kept)], dropped


def _to_logarithms(values: np.ndarray, scale: str, order: np.ndarray) -> np.ndarray:
    """Transform the values and order the genes, in place; return the missing samples per gene: int64 (genes,)."""
    missing = np.zeros(values.shape[1], np.int64)
    for rows in blocks(values):
        values[rows] = logarithms(values[rows], scale)[:, order]
        missing += np.isnan(values[rows]).sum(axis=0)
    return missing
