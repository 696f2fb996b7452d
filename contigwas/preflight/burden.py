"""Gene burdens: annotations, sets, masks and frequencies, and whether the exome calls know their variants."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from contigwas.burden.annotations import check_masks, read_annotations
from contigwas.burden.names import UNKNOWN, Names
from contigwas.burden.regenie import read_aaf, read_sets
from contigwas.burden.rules import Rules
from contigwas.config import settings as config_settings
from contigwas.preflight.context import Study
from contigwas.preflight.partial_reads import head
from contigwas.runtime.errors import UserError

WHOLE = 32 * 2**20  # bytes: of a larger file the first lines are read
HEAD = 20_000  # lines


def check(study: Study) -> None:
    """The files of the block burden."""
    settings = study.config.get("burden")
    if settings is None:
        return
    masks = settings["masks"]
    rules = None
    if not isinstance(masks, str) or study.there("burden.masks", masks):
        with study.findings.reported("burden.masks"):
            rules = Rules.of(settings)
    annotated = None
    if study.there("burden.annotations", settings["annotations"]):
        with study.findings.reported("burden.annotations"):
            annotated = _annotations(study, settings, rules)
    _sets(study, settings["sets"], annotated)
    if study.there("burden.aaf", settings["aaf"]):
        with study.findings.reported("burden.aaf"):
            table, reported = _read(settings["aaf"], read_aaf)
            study.findings.fact("burden.aaf", f"{reported}{len(table):,} frequencies")


def _read(path: str, read: Callable) -> tuple[pd.DataFrame, str]:
    """The table of a file, of a large one its first lines, and in words which."""
    if Path(path).stat().st_size <= WHOLE:
        return read(path), ""
    return head(Path(path), HEAD, read), f"first {HEAD:,} lines: "


def _annotations(study: Study, settings: dict, rules: Rules | None) -> pd.DataFrame | None:
    """The annotations, None where only a part of them was read; errors where masks or calls do not know them."""
    path = settings["annotations"]
    table, reported = _read(path, lambda one: read_annotations(one, settings["vep"]))
    genes = table["gene"].nunique()
    study.findings.fact(
        "burden.annotations",
        f"{reported}{len(table):,} annotations of {genes:,} genes, categories "
        f"{', '.join(f'{name} {many:,}' for name, many in table['category'].value_counts(sort=False).head(8).items())}",
    )
    if reported:
        study.findings.fact("burden.annotations", "too large to be compared with the masks and the exome in seconds")
        return None
    study.counts["genes"] = genes
    if rules is not None:
        with study.findings.reported("burden.masks"):
            check_masks(rules.masks, table, path)
    _require_known(study, table, path)
    return table


def _require_known(study: Study, table: pd.DataFrame, path: str) -> None:
    """UserError where the exome calls have none of the annotated variants, by ID or by place and alleles."""
    exome = study.variants.get("burden.genotypes")
    if exome is None or not exome.whole:
        return
    known = 0
    for chrom, variants in exome.table.groupby("chrom", sort=False):
        names = Names(variants.reset_index(drop=True), chrom)
        known += int((names.rows(table["variant"], table.get("place")) != UNKNOWN).sum())
    if not known:
        raise UserError(
            f"{path} names {len(table)} variants of genes, none of which is in the exome calls "
            f"({study.config['burden']['genotypes']}), by ID or by place and alleles: check that both are of one build"
        )
    study.findings.fact(
        "burden.annotations", f"{known:,} of {len(table):,} annotations are of variants of the exome calls"
    )


def _sets(study: Study, path: str | None, annotated: pd.DataFrame | None) -> None:
    if not study.there("burden.sets", path):
        return
    key = "burden.sets"
    with study.findings.reported(key):
        table, reported = _read(path, read_sets)
        wanted = config_settings.autosomes(study.config)
        here = table["chrom"].isin(wanted)
        study.findings.fact(key, f"{reported}{len(table):,} genes, {here.sum():,} of them on the chromosomes analysed")
        if reported:
            return
        study.counts["genes"] = int(here.sum())
        if not here.any():
            raise UserError(
                f"{path} has no gene on the chromosomes of genotypes.chromosomes (it has "
                f"{', '.join(table['chrom'].unique()[:25])}): correct one of them"
            )
        if annotated is not None and not table["gene"].isin(annotated["gene"]).any():
            raise UserError(f"{path} and the annotations have no gene in common: both must name genes in the same way")
