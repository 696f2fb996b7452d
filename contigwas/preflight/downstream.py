"""Downstream tasks: the table of masks, whose they are, and a sample of the masks beside their images."""

from pathlib import Path

import pandas as pd

from contigwas.downstream.segmentation.labelled import listed_masks, refuse_masks
from contigwas.downstream.segmentation.masks import Labels, reader
from contigwas.errors import UserError
from contigwas.preflight.people import require_shared
from contigwas.preflight.sample import spread
from contigwas.preflight.study import Study
from contigwas.tasks import SEGMENTATION, of_kind

LOOKED = 24  # masks that are read with their images


def check(study: Study) -> None:
    """Errors for a table that cannot be used, people of no cohort and masks that do not fit their images."""
    for name in of_kind(study.config, SEGMENTATION):
        key, task = f"downstream.{name}.table", study.config["downstream"][name]
        if study.there(key, task["table"]):
            with study.findings.told(key):
                _masks(study, key, name, task)


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
