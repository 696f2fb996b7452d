"""Classification and regression on the small demo: files, what runs again, and folders shaped like public sets."""

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from contigwas.config.check import check_config
from contigwas.downstream.labels.external_images import write_task_images
from contigwas.downstream.labels.table import write_labels
from tests.label_files import outputs, write_grades, write_table
from tests.studies import Study, clone
from tests.workflow.test_downstream import with_tasks

FEW = {"seeds": 1, "steps": 10, "batch": 8, "shares": [0.02, 1.0], "neighbours": 5}
TRAITS = {"table": "resources/demo/covariates.tsv", **FEW}
TASKS = {
    "sexes": {"task": "classification", "kind": "binary", "column": "sex", "models": ["contig"], **TRAITS},
    "years": {"task": "regression", "column": "age", "models": ["given"], **TRAITS},
    "outside": {
        "task": "classification", "kind": "ordinal", "table": "in/train.csv", "id": "id_code", "column": "diagnosis",
        "cohort": False, "image": "train_images/{id}.png", "models": ["contig"], **FEW, "folds": 3,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def labelled(root, tmp_path_factory):
    """A cross-fitted model, user-supplied embeddings, labels of the cohort and labels of 45 external photographs."""
    study = Study(clone(root, tmp_path_factory.mktemp("labels") / "study"), None)
    small = yaml.safe_load((root / "tests/config/small.yaml").read_text())
    small["simulate"]["n_samples"] = 120
    small["models"] = {
        "contig": small["models"]["contig"] | {"epochs": 1, "batch": 16, "modalities": ["pgs"], "folds": 1},
        "given": {"embeddings": "in/given.h5ad"},
    }
    study = Study(study.folder, study.folder / "study.yaml")
    first = small | {"models": {"contig": small["models"]["contig"]}, "downstream": {}}
    study.config.write_text(yaml.safe_dump(first, sort_keys=False))
    run = study("resources/demo/images.tsv")
    assert run.status == 0, run.text[-3000:]
    samples = pd.read_csv(study.folder / "resources/demo/covariates.tsv", sep="\t", dtype={"iid": str})
    rng = np.random.default_rng(1)
    values = rng.normal(size=(len(samples), 4)).astype(np.float32)
    values[:, 0] += samples["age"].fillna(50) / 10
    names = pd.DataFrame(index=[f"f{place}" for place in range(4)])
    (study.folder / "in").mkdir()
    ad.AnnData(values, pd.DataFrame(index=samples["iid"].to_numpy()), names).write_h5ad(study.folder / "in/given.h5ad")
    eyes = [f"e{place:02d}" for place in range(45)]
    grades = write_grades(study.folder / "in", eyes, "train_images/{id}.png")
    write_table(study.folder / "in/train.csv", id_code=eyes, diagnosis=grades)
    study.config.write_text(yaml.safe_dump(small | {"downstream": TASKS}, sort_keys=False))
    run = study("downstream")
    assert run.status == 0, run.text[-4000:]
    return study


def results(study, model, task):
    path = study.folder / f"results/models/{model}/downstream/{task}"
    return json.loads(path.with_suffix(".json").read_text()), pd.read_csv(path.with_suffix(".tsv"), sep="\t")


def test_the_files_of_the_design_are_there(labelled):
    for model, task in (("contig", "sexes"), ("given", "years"), ("contig", "outside")):
        folder = labelled.folder / f"results/models/{model}/downstream"
        assert all((folder / f"{task}.{kind}").stat().st_size for kind in ("json", "tsv", "png", "pdf"))
        _, table = results(labelled, model, task)
        assert list(table.columns) == ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]
    for folder in (labelled.folder / "results/private").rglob("*"):
        assert not folder.is_dir() or folder.stat().st_mode & 0o777 == 0o700, folder


def test_arms_are_those_that_the_model_can_do(labelled):
    arms = {
        (model, task): {arm for arm in results(labelled, model, task)[1]["arm"] if " - " not in arm}
        for model, task in (("contig", "sexes"), ("given", "years"), ("contig", "outside"))
    }
    assert arms["contig", "sexes"] == arms["contig", "outside"] == {"probe", "knn", "finetuned"}
    assert arms["given", "years"] == {"probe", "knn"}


def test_external_features_of_age_tell_age(labelled):
    said, table = results(labelled, "given", "years")
    best = table[table["seed"].isna() & (table["share"] == 1.0) & (table["arm"] == "probe")].set_index("metric")
    assert best.loc["r2", "low"] > 0
    assert said["splits"][0]["test_samples_whose_images_the_pretraining_saw"] is None
    assert len(said["splits"]) == 5


def test_those_are_tested_whom_the_network_held_out(labelled):
    said, _ = results(labelled, "contig", "sexes")
    (split,) = said["splits"]
    assert (split["network"], split["test_samples_whose_images_the_pretraining_saw"]) == (0, 0)
    made = labelled.folder / "results/private/downstream/contig/sexes.seed0/predictions.parquet"
    rows = pd.read_parquet(made)
    embedded = ad.read_h5ad(labelled.folder / "results/models/contig/fold0/embeddings.h5ad").obs
    assert set(embedded.loc[rows["iid"], "role"]) == {"heldout"}


def test_no_sample_is_named_outside_private(labelled):
    samples = pd.read_csv(labelled.folder / "resources/demo/covariates.tsv", sep="\t", dtype=str)["iid"]
    made = labelled.folder / "results"
    texts = [path.read_text() for path in (made / "logs").glob("downstream*/*.log")]
    texts += [path.read_text() for path in (made / "models").glob("*/downstream/*.[jt]s*")]
    assert len(texts) > 12
    assert not [one for one in samples if any(one in text for text in texts)]


def test_only_what_a_key_is_of_runs_again(labelled):
    config = yaml.safe_load(labelled.config.read_text())["downstream"]
    with with_tasks(labelled, config | {"years": config["years"] | {"neighbours": 6}}) as study:
        again = set(study.dry("downstream").jobs()) - {("downstream", "")}
        assert again == {("downstream_predict", "given"), ("downstream_regression", "given")}
    with with_tasks(labelled, config | {"outside": config["outside"] | {"size": 48}}) as study:
        again = {rule for rule, _ in study.dry("downstream").jobs()} - {"downstream"}
        assert again == {
            "downstream_images", "downstream_features", "downstream_predict", "downstream_classification"
        }  # fmt: skip
    with with_tasks(labelled, config | {"sexes": config["sexes"] | {"seeds": 2}}) as study:
        assert study.dry("downstream").jobs()["downstream_predict", "contig"] == 1, "the first seed stays"


def test_a_plain_run_and_the_report_ask_for_the_tasks(labelled):
    jobs = labelled.dry(forcerun=["downstream_regression"]).jobs()
    assert jobs["downstream_regression", "given"] == 1
    assert jobs["report", ""] == 1


def test_a_class_of_one_sample_ends_in_one_sentence(labelled):
    rows = pd.read_csv(labelled.folder / "in/train.csv")
    rows.loc[3, "diagnosis"] = 9
    rows.to_csv(labelled.folder / "in/rare.csv", index=False)
    config = yaml.safe_load(labelled.config.read_text())["downstream"]
    with with_tasks(labelled, {"outside": config["outside"] | {"table": "in/rare.csv"}}) as study:
        run = study("results/private/downstream/labelled/outside/labels.parquet")
    assert run.status != 0
    log = (labelled.folder / "results/logs/downstream_labels/outside.log").read_text()
    assert "1 of the 4 classes of column diagnosis have fewer than 2 samples" in log
    assert "Traceback" not in log


SHAPES = {
    "aptos": ("id_code", {"diagnosis": lambda grade: grade % 3}),
    "rfmid": ("ID", {
        name: lambda grade, place=place: (grade + place) % 2
        for place, name in enumerate(["Disease_Risk", "DR", "ARMD", "MH", "DN", "MYA", "BRVO", "TSLN", "ODC"])
    }),
    "palm": ("id", {"myopia": lambda grade: grade % 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_folders_shaped_like_public_sets_are_read(name, root, tmp_path, monkeypatch):
    """The ready configs on made-up tables and images: every label and every image is found."""
    config = yaml.safe_load((root / f"config/examples/downstream_{name}.yaml").read_text())
    check_config(config)
    (task,) = [one for one in config["downstream"].values() if one["task"] == "classification"]
    key, columns = SHAPES[name]
    monkeypatch.chdir(tmp_path)
    names = [str(place + 1) if name == "rfmid" else f"{'PHN'[place % 3]}{place:04d}" for place in range(60)]
    table = tmp_path / task["table"]
    grades = write_grades(table.parent, names, task["image"], 2)
    write_table(table, **{key: names}, **{one: make(grades) for one, make in columns.items()})
    if name == "aptos":
        rows = pd.read_csv(table).assign(diagnosis=np.arange(60) % 5)
        rows.to_csv(table, index=False)
    write_labels(task, None, *outputs(tmp_path))
    samples = pd.read_parquet(outputs(tmp_path)[0])
    assert samples["iid"].tolist() == names
    made = [tmp_path / "private" / one for one in ("image_list.tsv", "images.npy", "images.parquet", "left_out.tsv")]
    settings = {"size": 32, "crop": "none", "dimensions": 2, "min_sd": config["images"]["qc"]["min_sd"]}
    write_task_images(outputs(tmp_path)[0], settings, *made)
    assert len(np.load(made[1], mmap_mode="r")) == 60
    shutil.rmtree(tmp_path / "private")
