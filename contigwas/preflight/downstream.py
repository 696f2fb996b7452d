"""Downstream tasks: tables of masks and of labels, whose they are, what they say, a sample of masks and images."""

from pathlib import Path

import pandas as pd

from contigwas.config.downstream import CLUSTERS, OF_LABELS, SEGMENTATION, of_kind
from contigwas.downstream.clusters.labels import labels_of, read_column_of_labels
from contigwas.downstream.labels.table import Given, given_labels, targets
from contigwas.downstream.segmentation.labelled_images import listed_masks, refuse_masks
from contigwas.downstream.segmentation.masks import Labels, reader
from contigwas.preflight.context import Study
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.errors import UserError

LOOKED = 24  # masks that are read with their images


def check(study: Study) -> None:
    """Errors for a table that cannot be used, samples of no cohort, masks that do not fit their images, one label."""
    for name in of_kind(study.config, SEGMENTATION):
        key, task = f"downstream.{name}.table", study.config["downstream"][name]
        if study.there(key, task["table"]):
            with study.findings.reported(key):
                _masks(study, key, name, task)
    for name in [one for kind in OF_LABELS for one in of_kind(study.config, kind)]:
        key, task = f"downstream.{name}", study.config["downstream"][name]
        if study.there(f"{key}.table", task["table"]):
            with study.findings.reported(f"{key}.table"):
                _targets(study, key, f"{name} (labels)", task)
    for name in of_kind(study.config, CLUSTERS):
        key, labels = f"downstream.{name}.labels", study.config["downstream"][name]["labels"]
        if labels and study.there(f"{key}.table", labels["table"]):
            with study.findings.reported(f"{key}.table"):
                _labels(study, key, f"{name} (labels)", labels["table"], labels["column"])


def _masks(study: Study, key: str, name: str, task: dict) -> None:
    table, labels, images = task["table"], Labels.of(task, name), study.config["images"]
    listed = listed_masks(table, labels, None)
    samples = pd.Index(listed["iid"]).unique()
    given = listed[listed["reason"] == ""]
    if given.empty:
        raise UserError(f"none of the {len(listed)} images of {table} has a mask file: correct its paths")
    if task["cohort"]:
        study.samples[f"{name} (masks)"] = samples
        require_shared(study, f"{name} (masks)", table)
    elif len(samples) < task["folds"]:
        raise UserError(f"{table} has {len(samples)} samples, fewer than the {task['folds']} folds: lower folds")
    if len(given) < len(listed):
        study.findings.warn(
            key,
            f"{len(listed) - len(given):,} of {len(listed):,} images of {table} have no mask file, and are left out",
        )
    some = given.iloc[spread(range(len(given)), LOOKED)]
    read = reader({**task, "dimensions": images["dimensions"], "min_sd": images["qc"]["min_sd"]}, labels)
    pairs = [read(Path(one.source), one.masks) for one in some.itertuples()]
    good = [not pair.image.reason for pair in pairs]
    refuse_masks([pair for pair, is_good in zip(pairs, good, strict=True) if is_good], some[good], table, labels)
    study.findings.fact(
        key, f"{len(given):,} masks of {given['iid'].nunique():,} samples; {sum(good)} were read with their images"
    )


def _targets(study: Study, key: str, source: str, task: dict) -> None:
    """The labels of a classification or regression, of those who count."""
    table, given = task["table"], given_labels(task)
    if task["cohort"]:
        study.samples[source] = given.samples.index
        require_shared(study, source, table)
        analysed = study.analysed
        if analysed is None or not len(analysed):
            return
        inside = given.samples.index.isin(analysed)
        unknown = hidden(int((~inside).sum()))
        if unknown:
            study.findings.warn(f"{key}.table", f"{unknown} samples of {table} are not among those who are analysed")
        given = Given(given.samples[inside], given.columns)
    elif len(given.samples) < task["folds"]:
        raise UserError(f"{table} has {len(given.samples)} samples, fewer than the {task['folds']} folds: lower folds")
    else:
        there = given.samples["source"].map(lambda path: path is not None and Path(path).is_file())
        if not there.any():
            raise UserError(f"none of the {len(there)} images of {table} is there: correct image of the task")
        if not there.all():
            study.findings.warn(
                f"{key}.image", f"{(~there).sum():,} of {len(there):,} images of {table} are not there, and left out"
            )
    with study.findings.reported(f"{key}.column"):
        target, values, _ = targets(given, task)
        what = f"{len(target.classes)} classes" if target.classes else f"{len(target.names)} columns"
        study.findings.fact(f"{key}.column", f"{len(values):,} samples have a label ({what})")


def _labels(study: Study, key: str, source: str, table: str, column: str) -> None:
    given = read_column_of_labels(table, column)
    study.samples[source] = given.index
    require_shared(study, source, table)
    analysed = study.analysed
    if analysed is None or not len(analysed):
        return
    with study.findings.reported(f"{key}.column"):
        labels = labels_of(given, table, column, analysed, "those who are analysed")
        study.findings.fact(
            f"{key}.column",
            f"{len(labels.names)} labels; {labels.known.sum():,} of the {len(analysed):,} samples analysed have one",
        )
