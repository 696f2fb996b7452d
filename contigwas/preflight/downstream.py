"""Check the tables of downstream tasks: their samples, their labels, and a part of the masks and images."""

from pathlib import Path

import pandas as pd

from contigwas.config.downstream import CLUSTERS, OF_LABELS, SEGMENTATION, of_kind
from contigwas.downstream.clusters.labels import labels_of, read_column_of_labels
from contigwas.downstream.labels.table import LabelTable, read_label_table, targets
from contigwas.downstream.segmentation.labelled_images import check_masks, listed_masks
from contigwas.downstream.segmentation.masks import Labels, reader
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.errors import UserError

MAX_MASKS = 24  # number of masks that are read, with their images


def check(context: PreflightContext) -> None:
    """Check every task.

    Errors are unusable tables, tables without samples of the cohort, masks that do not match their images, and columns
    with a single label.
    """
    for name in of_kind(context.config, SEGMENTATION):
        key, task = f"downstream.{name}.table", context.config["downstream"][name]
        if context.has_file(key, task["table"]):
            with context.findings.report_errors(key):
                _check_masks(context, key, name, task)
    for name in [one for kind in OF_LABELS for one in of_kind(context.config, kind)]:
        key, task = f"downstream.{name}", context.config["downstream"][name]
        if context.has_file(f"{key}.table", task["table"]):
            with context.findings.report_errors(f"{key}.table"):
                _check_targets(context, key, f"{name} (labels)", task)
    for name in of_kind(context.config, CLUSTERS):
        key, labels = f"downstream.{name}.labels", context.config["downstream"][name]["labels"]
        if labels and context.has_file(f"{key}.table", labels["table"]):
            with context.findings.report_errors(f"{key}.table"):
                _check_labels(context, key, f"{name} (labels)", labels["table"], labels["column"])


def _check_masks(context: PreflightContext, key: str, name: str, task: dict) -> None:
    table, labels, images = task["table"], Labels.of(task, name), context.config["images"]
    listed = listed_masks(table, labels, None)
    samples = pd.Index(listed["iid"]).unique()
    with_mask = listed[listed["reason"] == ""]
    if with_mask.empty:
        raise UserError(f"{table}: none of the {len(listed)} images has a mask file. Correct the paths")
    if task["cohort"]:
        context.samples[f"{name} (masks)"] = samples
        require_shared(context, f"{name} (masks)", table)
    elif len(samples) < task["folds"]:
        raise UserError(f"{table}: {len(samples)} samples, fewer than the {task['folds']} folds. Lower folds")
    if len(with_mask) < len(listed):
        context.findings.warn(
            key,
            f"{table}: {len(listed) - len(with_mask):,} of {len(listed):,} images have no mask file and are left out",
        )
    some = with_mask.iloc[spread(range(len(with_mask)), MAX_MASKS)]
    read = reader({**task, "dimensions": images["dimensions"], "min_sd": images["qc"]["min_sd"]}, labels)
    pairs = [read(Path(one.source), one.masks) for one in some.itertuples()]
    good = [not pair.image.reason for pair in pairs]
    check_masks([pair for pair, is_good in zip(pairs, good, strict=True) if is_good], some[good], table, labels)
    context.findings.fact(
        key,
        f"{len(with_mask):,} masks of {with_mask['iid'].nunique():,} samples; {sum(good)} were read with images",
    )


def _check_targets(context: PreflightContext, key: str, source: str, task: dict) -> None:
    """Check the labels of a classification or regression, of analysed samples if the task is of the cohort."""
    table, given = task["table"], read_label_table(task)
    if task["cohort"]:
        context.samples[source] = given.samples.index
        require_shared(context, source, table)
        analysed = context.analysed
        if analysed is None or not len(analysed):
            return
        is_analysed = given.samples.index.isin(analysed)
        others = hidden(int((~is_analysed).sum()))
        if others:
            context.findings.warn(f"{key}.table", f"{others} samples of {table} are not analysed")
        given = LabelTable(given.samples[is_analysed], given.columns)
    elif len(given.samples) < task["folds"]:
        raise UserError(f"{table}: {len(given.samples)} samples, fewer than the {task['folds']} folds. Lower folds")
    else:
        exists = given.samples["source"].map(lambda path: path is not None and Path(path).is_file())
        if not exists.any():
            raise UserError(f"{table}: none of the {len(exists)} images exists. Correct the key image of the task")
        if not exists.all():
            context.findings.warn(
                f"{key}.image", f"{table}: {(~exists).sum():,} of {len(exists):,} images do not exist and are left out"
            )
    with context.findings.report_errors(f"{key}.column"):
        target, values, _ = targets(given, task)
        kind = f"{len(target.classes)} classes" if target.classes else f"{len(target.names)} columns"
        context.findings.fact(f"{key}.column", f"{len(values):,} samples have a label ({kind})")


def _check_labels(context: PreflightContext, key: str, source: str, table: str, column: str) -> None:
    given = read_column_of_labels(table, column)
    context.samples[source] = given.index
    require_shared(context, source, table)
    analysed = context.analysed
    if analysed is None or not len(analysed):
        return
    with context.findings.report_errors(f"{key}.column"):
        labels = labels_of(given, table, column, analysed, "the analysed samples")
        context.findings.fact(
            f"{key}.column",
            f"{len(labels.names)} labels; {labels.is_labelled.sum():,} of the {len(analysed):,} analysed samples have "
            "one",
        )
