"""Downstream tasks: tables of masks, whose they are, a sample of masks beside their images; labels of clusters."""

from pathlib import Path

import pandas as pd

from contigwas.downstream.clusters.labels import labels_of, read_column_of_labels
from contigwas.downstream.segmentation.labelled import listed_masks, refuse_masks
from contigwas.downstream.segmentation.masks import Labels, reader
from contigwas.errors import UserError
from contigwas.preflight.people import require_shared
from contigwas.preflight.sample import spread
from contigwas.preflight.study import Study
from contigwas.tasks import CLUSTERS, SEGMENTATION, of_kind

LOOKED = 24  # masks that are read with their images


def check(study: Study) -> None:
    """Errors for a table that cannot be used, people of no cohort, masks that do not fit their images, one label."""
    for name in of_kind(study.config, SEGMENTATION):
        key, task = f"downstream.{name}.table", study.config["downstream"][name]
        if study.there(key, task["table"]):
            with study.findings.told(key):
                _masks(study, key, name, task)
    for name in of_kind(study.config, CLUSTERS):
        key, labels = f"downstream.{name}.labels", study.config["downstream"][name]["labels"]
        if labels and study.there(f"{key}.table", labels["table"]):
            with study.findings.told(f"{key}.table"):
                _labels(study, key, f"{name} (labels)", labels["table"], labels["column"])


def _masks(study: Study, key: str, name: str, task: dict) -> None:
    table, labels, images = task["table"], Labels.of(task, name), study.config["images"]
    listed = listed_masks(table, labels, None)
    people = pd.Index(listed["iid"]).unique()
    given = listed[listed["reason"] == ""]
    if given.empty:
        raise UserError(f"none of the {len(listed)} images of {table} has a mask file: correct its paths")
    if task["cohort"]:
        study.people[f"{name} (masks)"] = people
        require_shared(study, f"{name} (masks)", table)
    elif len(people) < task["folds"]:
        raise UserError(f"{table} has {len(people)} people, fewer than the {task['folds']} folds: lower folds")
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
        key, f"{len(given):,} masks of {given['iid'].nunique():,} people; {sum(good)} were read with their images"
    )


def _labels(study: Study, key: str, source: str, table: str, column: str) -> None:
    given = read_column_of_labels(table, column)
    study.people[source] = given.index
    require_shared(study, source, table)
    analysed = study.analysed
    if analysed is None or not len(analysed):
        return
    with study.findings.told(f"{key}.column"):
        labels = labels_of(given, table, column, analysed, "those who are analysed")
        study.findings.fact(
            f"{key}.column",
            f"{len(labels.names)} labels; {labels.known.sum():,} of the {len(analysed):,} people analysed have one",
        )
