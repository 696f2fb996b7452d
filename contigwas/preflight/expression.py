"""Check the expression table (header, samples, scale of the values) and the list of genes."""

from pathlib import Path

import pandas as pd

from contigwas.expression.order import positions
from contigwas.expression.scale import require_scale
from contigwas.expression.table import KEY, open_expression
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.samples import require_shared
from contigwas.tables.sample_features import SampleTable

MAX_BYTES = 32 * 2**20  # of a larger table only the values of the first SAMPLES samples are read
SAMPLES = 20
MAX_BYTES_OF_IIDS = 2**29  # of a larger table the IIDs are not read either
SOURCE = "expression"


def check(context: PreflightContext) -> None:
    """Check the files of the block expression."""
    settings = context.config.get("expression")
    if settings is None or not context.has_file(KEY, settings["table"]):
        return
    valid = False
    with context.findings.report_errors(KEY):
        table = open_expression(settings["table"], settings)
        _check_table(context, table, settings["scale"])
        valid = True
    if valid and context.has_file("expression.genes", settings["genes"]):
        with context.findings.report_errors("expression.genes"):
            _check_genes(context, table, settings["genes"])


def _check_table(context: PreflightContext, table: SampleTable, scale: str) -> None:
    analysed, size = context.analysed, table.path.stat().st_size
    if analysed is not None:
        table.require_upright(analysed)
    context.counts["expressed genes"] = len(table.features)
    if size <= MAX_BYTES:
        samples, values = table.read_all()
        checked = "all samples"
    else:
        iids, values = next(table.blocks(SAMPLES))
        samples = table.samples() if size <= MAX_BYTES_OF_IIDS else pd.Index(iids)
        checked = f"the first {len(iids)} samples"
    count = f"{len(samples):,} samples" if size <= MAX_BYTES_OF_IIDS else "samples not counted: the file is too large"
    context.findings.fact(
        KEY, f"{len(table.features):,} genes; {count}; the values of {checked} were checked against scale: {scale}"
    )
    require_scale(values, scale, table.path)
    if size > MAX_BYTES_OF_IIDS:
        return
    context.samples[SOURCE] = samples
    require_shared(context, SOURCE, str(table.path))
    imaged = context.imaged
    if imaged is not None and len(imaged) and not imaged.isin(samples).any():
        context.findings.error(
            KEY,
            f"none of the {len(imaged):,} samples with an image has expression ({len(samples):,} samples in "
            f"{table.path}): supply expression of samples with images",
        )


def _check_genes(context: PreflightContext, table: SampleTable, path: str) -> None:
    if Path(path).stat().st_size > MAX_BYTES:
        context.findings.fact("expression.genes", "not read: the file is too large")
        return
    found = positions(table.features, path)
    context.findings.fact(
        "expression.genes", f"{(found['chrom'] != '').sum():,} of {len(found):,} genes have a position"
    )
