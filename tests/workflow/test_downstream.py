"""The stage downstream on the small demo: its target, its files, what runs again, and withdrawn participants."""

import json
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.studies import Study, clone

pytestmark = pytest.mark.slow

TASK = {
    "task": "segmentation",
    "table": "masks/masks.tsv",
    "models": ["contig", "simclr"],
    "arms": [{"name": "pretrained_genes", "encoder": "pretrained", "fusion": "film"}, {"name": "scratch"}],
    "shares": [0.5, 1.0],
    "seeds": 1,
    "folds": 3,
    "steps": 10,
    "batch": 4,
    "width": 16,
}
OUTSIDE = TASK | {
    "table": "masks/outside.tsv",
    "cohort": False,
    "arms": [{"name": "scratch"}],
    "shares": [1.0],
    "models": ["contig"],
}


@contextmanager
def with_tasks(study, tasks):
    before = study.config.read_text()
    study.config.write_text(yaml.safe_dump(yaml.safe_load(before) | {"downstream": tasks}, sort_keys=False))
    try:
        yield study
    finally:
        study.config.write_text(before)


@pytest.fixture(scope="module")
def labelled(root, tmp_path_factory):
    """Masks of the brightest part of 40 photographs, once as samples of the cohort, once as strangers."""
    study = Study(clone(root, tmp_path_factory.mktemp("downstream") / "study"), None)
    small = yaml.safe_load((root / "tests/config/small.yaml").read_text())
    small["simulate"]["n_samples"] = 120
    small["models"] = {name: small["models"][name] | {"epochs": 1, "batch": 16} for name in ("contig", "simclr")}
    small["models"]["contig"]["modalities"] = ["pgs"]
    small |= {
        "downstream": {
            "bright": TASK | {"models": ["simclr"], "arms": None},
            "genes": TASK | {"models": ["contig"]},
            "outside": OUTSIDE,
        }
    }
    config = study.folder / "study.yaml"
    study = Study(study.folder, config)
    config.write_text(yaml.safe_dump(small | {"downstream": {}}, sort_keys=False))
    run = study("resources/demo/images.tsv")
    assert run.status == 0, run.text[-3000:]
    folder = study.folder / "masks"
    folder.mkdir()
    images = pd.read_csv(study.folder / "resources/demo/images.tsv", sep="\t", dtype=str)
    images = images.drop_duplicates("iid").iloc[:40]
    rows = []
    for number, path in enumerate(images["path"]):
        try:
            grey = np.asarray(Image.open(study.folder / "resources/demo" / path).convert("L"))
        except OSError:  # some are unusable by design
            grey = np.zeros((32, 32))
        Image.fromarray((grey > np.percentile(grey, 95)).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append((f"../resources/demo/{path}", f"{number}.png"))
    table = pd.DataFrame(rows, columns=["image", "mask"])
    table.assign(iid=images["iid"].to_numpy()).to_csv(folder / "masks.tsv", sep="\t", index=False)
    table.assign(sample=[f"X{number}" for number in range(len(table))]).to_csv(
        folder / "outside.tsv", sep="\t", index=False
    )
    config.write_text(yaml.safe_dump(small, sort_keys=False))
    run = study("downstream")
    assert run.status == 0, run.text[-4000:]
    return study


def test_the_files_of_the_design_are_there(labelled):
    results = labelled.folder / "results"
    for model, task in (("simclr", "bright"), ("contig", "genes"), ("contig", "outside")):
        folder = results / f"models/{model}/downstream"
        assert all((folder / f"{task}.{kind}").stat().st_size for kind in ("json", "tsv", "png", "pdf"))
        assert (results / f"private/downstream/{model}/{task}/overlays.png").stat().st_size
    for folder in (results / "private").rglob("*"):
        assert not folder.is_dir() or folder.stat().st_mode & 0o777 == 0o700, folder


def test_tested_samples_and_what_the_pretraining_saw(labelled):
    models = labelled.folder / "results/models"
    said = {task: json.loads((models / f"{model}/downstream/{task}.json").read_text())
            for model, task in (("simclr", "bright"), ("contig", "genes"), ("contig", "outside"))}  # fmt: skip
    seen = {
        task: [one["test_samples_whose_images_the_pretraining_saw"] for one in all_["splits"]]
        for task, all_ in said.items()
    }
    assert seen["genes"] == [0, 0, 0], "a cross-fitted network tests its held-out samples"
    assert [one["network"] for one in said["genes"]["splits"]] == [0, 1, 2]
    assert sum(seen["bright"]) > 20, "simclr saw nearly all photographs"
    assert seen["outside"] == [0, 0, 0]
    assert {one["network"] for one in said["outside"]["splits"]} == {0}
    scores = pd.read_parquet(labelled.folder / "results/private/downstream/contig/genes.seed0/scores.parquet")
    cohort = pd.read_csv(labelled.folder / "results/samples/cohort.tsv", sep="\t", dtype=str).set_index("iid")
    assert (cohort.loc[scores["iid"], "fold"].astype(int).to_numpy() == scores["network"]).all()


def test_only_the_task_runs_again_when_its_settings_change(labelled):
    config = yaml.safe_load(labelled.config.read_text())
    before = labelled.config.read_text()
    try:
        config["downstream"]["genes"]["steps"] = 11
        labelled.config.write_text(yaml.safe_dump(config, sort_keys=False))
        again = labelled.dry("downstream").jobs()
        assert set(again) - {("downstream", "")} == {
            ("downstream_segment", "contig"),
            ("downstream_segmentation", "contig"),
        }
        config["downstream"]["genes"] = {**TASK, "models": ["contig"], "seeds": 2}
        labelled.config.write_text(yaml.safe_dump(config, sort_keys=False))
        more = labelled.dry("downstream").jobs()
        assert more["downstream_segment", "contig"] == 1, "the first seed stays"
    finally:
        labelled.config.write_text(before)


def test_no_sample_is_named_outside_private(labelled):
    samples = pd.read_csv(labelled.folder / "masks/masks.tsv", sep="\t", dtype=str)["iid"]
    results = labelled.folder / "results"
    texts = [path.read_text() for path in (results / "logs").glob("downstream*/*.log")]
    texts += [path.read_text() for path in (results / "models").glob("*/downstream/*.[jt]s*")]
    assert len(texts) > 12
    assert not [one for one in samples if any(one in text for text in texts)]


def test_a_plain_run_and_the_report_ask_for_the_tasks(labelled):
    jobs = labelled.dry(forcerun=["downstream_segmentation"]).jobs()
    assert jobs["downstream_segmentation", "contig"] == 2
    assert jobs["report", ""] == 1


def test_the_target_without_a_task_says_so(labelled):
    with with_tasks(labelled, {}) as study:
        run = study.dry("downstream")
    assert run.status != 0
    assert "there is no downstream: block with a task" in run.text
    assert "Traceback" not in run.text
