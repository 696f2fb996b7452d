"""What the workflow hands to the jobs of a segmentation, of the built DAG; nothing trains."""

import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from contigwas.downstream.segmentation.labelled_images import read_labelled, write_labelled
from contigwas.runtime.code_digest import file_digest
from tests.segmentation_files import outputs, redraw, write_masks
from tests.studies import Study

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import rerun_dag

ROOT = Path(__file__).resolve().parents[2]
TASK = {"task": "segmentation", "table": "in/masks.tsv", "models": ["contig"], "seeds": 1}


def jobs(study, task=None, **changes):
    """The jobs of a study of one segmentation, `spot`, by their rule; one of each."""
    one = study("small.yaml")
    config = yaml.safe_load(one.config.read_text()) | {"downstream": {"spot": TASK | (task or {})}}
    for block, keys in changes.items():
        config[block] = config.get(block, {}) | keys
    one.config.write_text(yaml.safe_dump(config, sort_keys=False))
    write_masks(one.folder / "in", [f"S{number:03d}" for number in range(6)])
    (one.folder / "in/withdrawn.txt").write_text("S001\nS004\nS999\n")
    with rerun_dag.building(
        one.folder, one.config, one.folder / "workflow/Snakefile", ["downstream"], force=True
    ) as workflow:
        return one.folder, {job.rule.name: job for job in workflow.dag.jobs if "downstream_" in job.rule.name}


@pytest.mark.parametrize(
    "form",
    [
        {"labels": {"size": 255, "table": [7]}},
        {"labels": {"crop": [255, 7], "spot": 9}},
        {"mask": {"size": "mask", "table": "other"}},
        {},
    ],
    ids=["labels", "labels of several values", "columns", "one class"],
)
def test_settings_that_are_mappings_arrive_whole(study, form):
    """Classes are named as settings are: flattened, they would take their place."""
    _, found = jobs(study, form)
    expected = {"mask": "mask", "labels": None, "size": 32, "crop": "fundus", "table": "in/masks.tsv"} | form
    decoded = found["downstream_labelled"].params.settings
    assert dict(decoded) == expected | {"dimensions": 2, "min_sd": decoded["min_sd"]}
    for key in form:  # where columns overlap, the later class counts
        assert [*decoded[key]] == [*form[key]]
        assert [*found["downstream_segment"].params.settings[key]] == [*form[key]]
    for rule in ("downstream_segment", "downstream_segmentation"):
        settings = found[rule].params.settings
        assert {key: settings[key] for key in expected} == expected
        assert settings["augment"]["rotation"] == 20


@pytest.mark.parametrize(
    ("general", "own", "expected"),
    [(None, None, "last"), ("best", None, "best"), (None, "best", "best"), ("best", "last", "last")],
)
def test_fits_start_from_the_weights_that_features_come_from(study, general, own, expected):
    models = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text())["models"]
    changes = {"embed": {"checkpoint": general}} if general else {}
    model = models["contig"] | ({"embed": {"checkpoint": own}} if own else {})
    _, found = jobs(study, models={"contig": model}, **changes)
    assert found["downstream_segment"].params.settings["checkpoint"] == expected


def test_images_are_decoded_with_the_settings_that_the_workflow_gives(study):
    folder, found = jobs(study, {"labels": {"size": 255, "crop": 7}, "cohort": False, "crop": "none"})
    redraw(folder / "in/P002_mask.png", lambda mask: np.where(mask > 0, 7, 0).astype(np.uint8))
    with chdir(folder):
        write_labelled("spot", found["downstream_labelled"].params.settings, None, *outputs(folder))
    masks = read_labelled(*outputs(folder)[:3]).masks
    assert [int(mask.max()) for mask in masks] == [1, 1, 2, 1, 1, 1]


@pytest.mark.slow
def test_withdrawn_participants_are_left_out_without_a_cohort(study):
    """The job itself: settings that are mappings, and participants who withdrew."""
    external = {"cohort": False, "crop": "none", "labels": {"size": 255}}
    folder, found = jobs(study, external, samples={"withdrawn": "in/withdrawn.txt"})
    assert found["downstream_labelled"].params.withdrawn == [file_digest(folder / "in/withdrawn.txt")]
    made = "results/private/downstream/labelled/spot/labelled.parquet"
    run = Study(folder, folder / "study.yaml")(made, cores=1)
    assert run.status == 0, run.text[-3000:]
    assert pd.read_parquet(folder / made)["iid"].tolist() == ["S000", "S002", "S003", "S005"]
    assert "2 of 6 labelled images are of 2 participants who withdrew" in "".join(
        path.read_text() for path in (folder / "results/logs/downstream_labelled").iterdir()
    )


def test_a_task_of_the_cohort_reads_no_list(study):
    _, found = jobs(study, samples={"withdrawn": "in/withdrawn.txt"})
    assert [*found["downstream_labelled"].input.withdrawn] == found["downstream_labelled"].params.withdrawn == []
