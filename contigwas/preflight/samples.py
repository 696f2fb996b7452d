"""Check the lists and tables of samples, and count the samples that inputs have in common."""

from collections.abc import Callable

import pandas as pd

from contigwas.genotypes.external import read_kinship, read_pcs
from contigwas.preflight.context import PreflightContext
from contigwas.samples.ancestry import outside_column
from contigwas.samples.candidates import listed_samples
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap, shape
from contigwas.tables.text import read_table


def check(context: PreflightContext) -> None:
    """Check the lists and tables of samples. Each must have samples of the genotypes."""
    samples, genotypes = context.config["samples"], context.config["genotypes"]
    _check_list(context, "samples.keep", samples["keep"], "keep", lambda path: listed_samples(path, "samples.keep"))
    _check_withdrawn(context, samples["withdrawn"])
    _check_list(
        context, "genotypes.pcs_file", genotypes["pcs_file"], "pcs_file", lambda path: _iids_of_pcs(context, path)
    )
    _check_list(context, "genotypes.kinship", genotypes["kinship"], "kinship", _iids_of_relatives)
    ancestry = genotypes["ancestry"] or {}
    key = "genotypes.ancestry.reference"
    _check_list(context, key, ancestry.get("reference"), "ancestry reference", lambda path: listed_samples(path, key))
    _check_ancestry_table(context, ancestry)


def _check_list(context: PreflightContext, key: str, path: str | None, source: str, read: Callable) -> None:
    """Add the samples of a file to the context; an error if none of them has genotypes."""
    if not context.has_file(key, path):
        return
    with context.findings.report_errors(key):
        context.samples[source] = pd.Index(read(path)).astype(str).unique()
        require_shared(context, source, path)


def require_shared(context: PreflightContext, source: str, path: str) -> None:
    """Raise UserError if no sample of a source is in the genotypes."""
    if "genotypes" in context.samples:
        pattern = context.config["genotypes"]["array"]
        samples = context.samples[source]
        require_overlap(context.samples["genotypes"], samples, f"the genotypes ({pattern})", f"{source} ({path})")


def _check_withdrawn(context: PreflightContext, path: str | None) -> None:
    if not context.has_file("samples.withdrawn", path):
        return
    with context.findings.report_errors("samples.withdrawn"):
        withdrawn = pd.Index(sorted(read_withdrawn(path)), dtype=object)
        context.samples["withdrawn"] = withdrawn
        genotyped = "genotypes" in context.samples and withdrawn.isin(context.samples["genotypes"]).any()
        if len(withdrawn) and "genotypes" in context.samples and not genotyped:
            context.findings.warn(
                "samples.withdrawn",
                f"{path}: none of the {len(withdrawn)} IIDs is in the genotypes (IDs of {shape(withdrawn)}, there IDs "
                f"of {shape(context.samples['genotypes'])}). Write the same IDs as in the genotypes",
            )


def _iids_of_pcs(context: PreflightContext, path: str) -> pd.Index:
    return read_pcs(path, context.config["genotypes"]["pcs"]).index


def _iids_of_relatives(path: str) -> pd.Series:
    pairs = read_kinship(path)
    return pd.concat([pairs["one"], pairs["other"]])


def _check_ancestry_table(context: PreflightContext, ancestry: dict) -> None:
    key = "genotypes.ancestry.table"
    analysed = context.analysed
    if analysed is None or not context.has_file(key, ancestry.get("table")):
        return
    with context.findings.report_errors(key):
        context.samples["ancestry table"] = pd.Index(read_table(ancestry["table"], ["iid"], key)["iid"]).unique()
        outside = outside_column(analysed, ancestry)
        context.findings.fact(
            key, f"{(~outside).sum():,} of the {len(analysed):,} analysed samples are of the ancestry"
        )


def report_overlaps(context: PreflightContext) -> None:
    """Add a table of all sources: their samples, those with genotypes, and those that are analysed with an image."""
    if "genotypes" not in context.samples:
        return
    genotyped, imaged = context.samples["genotypes"], context.imaged
    third = f"{'and with image':>16}" if imaged is not None else ""
    lines = [f"{'source':<22}{'samples':>9}{'in genotypes':>14}{third}"]
    for source, samples in context.samples.items():
        row = f"{source:<22}{len(samples):>9,}{_count_common(samples, genotyped):>14,}"
        lines.append(row + (f"{_count_common(samples, imaged):>16,}" if imaged is not None else ""))
    context.findings.fact("samples", "\n".join(lines))
    text = f"{len(context.analysed):,} samples are analysed (with genotypes, in samples.keep, not withdrawn)"
    if imaged is not None:
        text += f"; {len(imaged):,} of them have an image (last column)"
    context.findings.fact("samples", text)
    if not len(context.analysed):
        context.findings.error(
            "samples", "no sample with genotypes is in samples.keep and not withdrawn: correct the lists"
        )
    elif imaged is not None and not len(imaged) and context.samples["images"].isin(genotyped).any():
        context.findings.error(
            "images.table",
            "no analysed sample has an image: the samples of the table with genotypes are not in samples.keep, or are "
            "withdrawn. Correct the lists",
        )


def _count_common(samples: pd.Index, others: pd.Index) -> int:
    """The number of `samples` in `others`. The hash table of `others` is cached by pandas for all sources."""
    return int((others.get_indexer(samples) >= 0).sum())
