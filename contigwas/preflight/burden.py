"""Check the files of the gene burdens, and that the exome genotypes contain the annotated variants."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from contigwas.burden.annotations import check_masks, read_annotations
from contigwas.burden.names import UNKNOWN, VariantNames
from contigwas.burden.regenie import read_aaf, read_sets
from contigwas.burden.rules import Rules
from contigwas.config import settings as config_settings
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.partial_reads import head
from contigwas.runtime.errors import UserError

MAX_BYTES = 32 * 2**20  # of a larger file only the first HEAD lines are read
HEAD = 20_000  # lines


def check(context: PreflightContext) -> None:
    """Check the files of the block burden."""
    settings = context.config.get("burden")
    if settings is None:
        return
    masks = settings["masks"]
    rules = None
    if not isinstance(masks, str) or context.has_file("burden.masks", masks):
        with context.findings.report_errors("burden.masks"):
            rules = Rules.of(settings)
    annotated = None
    if context.has_file("burden.annotations", settings["annotations"]):
        with context.findings.report_errors("burden.annotations"):
            annotated = _check_annotations(context, settings, rules)
    _check_sets(context, settings["sets"], annotated)
    if context.has_file("burden.aaf", settings["aaf"]):
        with context.findings.report_errors("burden.aaf"):
            table, prefix = _read(settings["aaf"], read_aaf)
            context.findings.fact("burden.aaf", f"{prefix}{len(table):,} frequencies")


def _read(path: str, read: Callable) -> tuple[pd.DataFrame, str]:
    """The table of a file and an empty text; for a large file its first lines and a text that says so."""
    if Path(path).stat().st_size <= MAX_BYTES:
        return read(path), ""
    return head(Path(path), HEAD, read), f"first {HEAD:,} lines: "


def _check_annotations(context: PreflightContext, settings: dict, rules: Rules | None) -> pd.DataFrame | None:
    """The annotations, or None if only a part of them was read.

    Raises UserError if a mask has an unknown category, or if the exome genotypes have no annotated variant.
    """
    path = settings["annotations"]
    table, prefix = _read(path, lambda one: read_annotations(one, settings["vep"]))
    genes = table["gene"].nunique()
    context.findings.fact(
        "burden.annotations",
        f"{prefix}{len(table):,} annotations of {genes:,} genes, categories "
        f"{', '.join(f'{name} {many:,}' for name, many in table['category'].value_counts(sort=False).head(8).items())}",
    )
    if prefix:
        context.findings.fact("burden.annotations", "not compared with the masks and the exome: the file is too large")
        return None
    context.counts["genes"] = genes
    if rules is not None:
        with context.findings.report_errors("burden.masks"):
            check_masks(rules.masks, table, path)
    _require_shared_variants(context, table, path)
    return table


def _require_shared_variants(context: PreflightContext, table: pd.DataFrame, path: str) -> None:
    """Raise UserError if the exome genotypes have no annotated variant, by ID or by position and alleles."""
    exome = context.variants.get("burden.genotypes")
    if exome is None or not exome.complete:
        return
    shared = 0
    for chrom, variants in exome.table.groupby("chrom", sort=False):
        names = VariantNames(variants.reset_index(drop=True), chrom)
        shared += int((names.rows(table["variant"], table.get("place")) != UNKNOWN).sum())
    if not shared:
        raise UserError(
            f"{path}: none of the {len(table)} annotated variants is in the exome genotypes "
            f"({context.config['burden']['genotypes']}), by ID or by position and alleles. Check that both are on the "
            "same build"
        )
    context.findings.fact(
        "burden.annotations", f"{shared:,} of {len(table):,} annotations are of variants of the exome genotypes"
    )


def _check_sets(context: PreflightContext, path: str | None, annotated: pd.DataFrame | None) -> None:
    if not context.has_file("burden.sets", path):
        return
    key = "burden.sets"
    with context.findings.report_errors(key):
        table, prefix = _read(path, read_sets)
        wanted = config_settings.autosomes(context.config)
        analysed = table["chrom"].isin(wanted)
        context.findings.fact(
            key, f"{prefix}{len(table):,} genes, {analysed.sum():,} of them on the analysed chromosomes"
        )
        if prefix:
            return
        context.counts["genes"] = int(analysed.sum())
        if not analysed.any():
            raise UserError(
                f"{path}: no gene is on the chromosomes of genotypes.chromosomes (the file has "
                f"{', '.join(table['chrom'].unique()[:25])}). Correct one of them"
            )
        if annotated is not None and not table["gene"].isin(annotated["gene"]).any():
            raise UserError(f"{path}: no gene is in the annotations. Use the same gene names in both files")
