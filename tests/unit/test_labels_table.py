"""The table of labels: whose they are, what is counted, and each mistake in one sentence that names nobody."""

import json

import numpy as np
import pandas as pd
import pytest

from contigwas.downstream.labels.kinds import read_target
from contigwas.downstream.labels.table import write_labels
from contigwas.runtime.errors import UserError
from tests.label_files import TASK, outputs, write_table
from tests.unit.pretraining import write_study

IIDS = [f"S{number:03d}" for number in range(12)]
GRADES = [0, 1, 2] * 4
OUTSIDE = {"cohort": False, "image": "pictures/{id}.png"}


def read(path, cohort=None, withdrawn=None, **changes):
    made = outputs(path.parent)
    settings = TASK | ({} if cohort else OUTSIDE) | {"table": str(path)} | changes
    write_labels(settings, cohort, *made, withdrawn)
    return pd.read_parquet(made[0]), *read_target(made[1])


def refused(path, *arguments, **changes) -> str:
    with pytest.raises(UserError) as reported:
        read(path, *arguments, **changes)
    assert not [one for one in IIDS if one in str(reported.value)]
    assert not any(one.exists() for one in outputs(path.parent))
    return str(reported.value)


def test_grades_are_numbered_in_their_order(tmp_path):
    table = write_table(tmp_path / "t.csv", iid=IIDS, grade=[10, 2, 1] * 4)
    samples, target, counts = read(table)
    assert target.classes == ("1", "2", "10")
    assert samples["y0"].tolist() == [2, 1, 0] * 4
    assert samples["iid"].tolist() == samples["family"].tolist() == IIDS
    assert samples["source"].iloc[3] == str(tmp_path / "pictures/S003.png")
    assert set(counts.values()) == {0}
    assert outputs(tmp_path)[0].parent.stat().st_mode & 0o777 == 0o700


def test_labels_of_unknown_samples_are_counted_and_named_nowhere(tmp_path, caplog):
    caplog.set_level("INFO")
    cohort = write_study(tmp_path)["cohort"]
    samples = pd.read_csv(cohort, sep="\t", dtype=str)
    named = [*samples["iid"][-9:], *(f"X{number}" for number in range(7)), "Y1"]
    grades = ["", *([0, 1] * 8)]
    found, _, counts = read(write_table(tmp_path / "t.tsv", iid=named, grade=grades), cohort)
    assert found["iid"].tolist() == samples["iid"].iloc[-8:-1].tolist(), "one without a label, the last is excluded"
    assert found["family"].tolist() == samples["family"].iloc[-8:-1].tolist()
    assert "source" not in found
    assert counts == {"unknown_samples": 9, "without_label": "<5", "withdrew": 0, "in_rare_classes": 0}
    assert "9 samples of" in caplog.text and "unknown samples" in caplog.text
    assert not [one for one in named if one in caplog.text]


def test_nobody_of_the_table_is_in_the_cohort(tmp_path):
    cohort = write_study(tmp_path)["cohort"]
    said = refused(write_table(tmp_path / "t.tsv", iid=IIDS, grade=GRADES), cohort)
    assert "no sample is in both the labels" in said and "7 digits" in said


def test_who_withdrew_is_left_out_of_an_external_set(tmp_path):
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=GRADES)
    (tmp_path / "gone.txt").write_text("S002\nS007\nS999\n")
    samples, _, counts = read(table, withdrawn=tmp_path / "gone.txt")
    assert samples["iid"].tolist() == [one for one in IIDS if one not in ("S002", "S007")]
    assert counts["withdrew"] == "<5"
    (tmp_path / "gone.txt").write_text("\n".join(IIDS))
    with pytest.raises(UserError, match="everyone whom .* names is in samples.withdrawn"):
        read(table, withdrawn=tmp_path / "gone.txt")


def test_a_class_of_one_sample_is_refused_or_dropped(tmp_path):
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=[0, 1] * 5 + [0, 444])
    said = refused(table)
    assert "1 of the 3 classes of the column grade have fewer than 2 samples" in said
    assert "444" not in said, "it is the label of one sample"
    samples, target, counts = read(table, rare="drop")
    assert target.classes == ("0", "1")
    assert samples["iid"].tolist() == IIDS[:-1]
    assert counts["in_rare_classes"] == "<5"
    assert "fewer than two classes of 6 samples or more" in refused_again(table, least=6)


@pytest.mark.parametrize(
    ("rare", "kind", "warned"), [(555, "ordinal", True), (999, "ordinal", False), (555, "multiclass", False)]
)
def test_a_grade_between_others_that_is_dropped_is_told(tmp_path, caplog, rare, kind, warned):
    """Steps of grades are what kappa squares."""
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=[0, 777] * 5 + [0, rare])
    _, target, _ = read(table, rare="drop", kind=kind)
    assert target.classes == ("0", "777")
    assert ("1 of the 3 grades of" in caplog.text and "count as one step apart" in caplog.text) == warned
    assert str(rare) not in caplog.text


def refused_again(path, **changes) -> str:
    with pytest.raises(UserError) as reported:
        read(path, **changes)
    return str(reported.value)


@pytest.mark.parametrize(
    ("grades", "changes", "said"),
    [
        ([3] * 12, {}, "the column grade has one value alone, so nothing can be distinguished"),
        ([""] * 12, {}, "none has a value in every column (grade)"),
        ([*range(6)] * 2, {"kind": "binary"}, "has 6 classes, but kind is binary"),
        (["low", "high"] * 6, {}, "has grades that are no numbers: write classes of the task"),
        ([0, 1] * 6, {"classes": [1, 2]}, "has 1 values that classes does not name"),
        ([7.5] * 12, {"task": "regression", "kind": None}, "is the same in everybody who counts"),
        ([1, 2, 3, "high"] * 3, {"task": "regression", "kind": None}, "holds what is no number in 3 rows"),
        ([1, 2, 3, "inf"] * 3, {"task": "regression", "kind": None}, "holds what is no number in 3 rows"),
        (GRADES, {"kind": "multilabel", "column": ["grade"]}, "the column grade is neither 0 nor 1 in 4 rows"),
        ([0, 1] + [0] * 10, {"kind": "multilabel", "column": ["grade"]}, "grade is 0 or 1 in fewer than 2 samples"),
        (GRADES, {"column": "stage"}, "has no column stage"),
        (GRADES, {"id": "id_code"}, "has no column id_code"),
        (GRADES, {"image": "path"}, "has no column path"),
        (GRADES, {"image": "one.png{id}", "id": "grade"}, "individual IDs appear more than once"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, grades, changes, said):
    changes = {key: value for key, value in changes.items() if value is not None}
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=grades)
    settings = {key: value for key, value in TASK.items() if changes.get("task") != "regression" or key != "kind"}
    made = outputs(tmp_path)
    with pytest.raises(UserError) as reported:
        write_labels(settings | OUTSIDE | {"table": str(table)} | changes, None, *made)
    assert said in str(reported.value)
    assert not [one for one in IIDS if one in str(reported.value)]
    assert not made[0].exists()


def test_more_values_than_classes_have(tmp_path):
    table = write_table(tmp_path / "t.tsv", iid=[f"S{one}" for one in range(120)], grade=np.arange(120) // 2)
    assert "has 60 values, more than 50, which are no classes" in refused_again(table)


def test_a_sample_twice_and_nobody_at_all(tmp_path):
    assert "1 individual IDs appear more than once" in refused(
        write_table(tmp_path / "t.tsv", iid=[*IIDS[:-1], IIDS[0]], grade=GRADES)
    )
    assert "1 rows without a sample: fill its column iid" in refused(
        write_table(tmp_path / "t.tsv", iid=["NA", *IIDS[1:]], grade=GRADES)
    )


def test_one_image_for_two_samples(tmp_path):
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=GRADES, photo=["a.png"] * 2 + IIDS[2:])
    assert "names 1 image files more than once" in refused(table, image="photo")


def test_who_has_no_image_file_is_left_out(tmp_path):
    table = write_table(tmp_path / "t.tsv", iid=IIDS, grade=GRADES, photo=["NA", "", *IIDS[2:]])
    samples, _, counts = read(table, image="photo")
    assert samples["iid"].tolist() == IIDS[2:]
    assert samples["source"].iloc[0] == str(tmp_path / "S002")
    assert counts["without_label"] == "<5"


def test_labels_that_are_dropped_as_too_rare(tmp_path):
    table = write_table(tmp_path / "t.tsv", ID=IIDS, a=[0, 1] * 6, b=[1] + [0] * 11, c=[1, 1, 0] * 4)
    changes = {"kind": "multilabel", "id": "ID", "column": ["a", "b", "c"]}
    assert "the label b is 0 or 1 in fewer than 2 samples" in refused(table, **changes)
    samples, target, _ = read(table, **changes, rare="drop")
    assert target.names == ("a", "c")
    assert samples["y1"].tolist() == [1, 1, 0] * 4


def test_a_parquet_table_with_numbers_as_they_are(tmp_path):
    frame = pd.DataFrame({"IID": np.arange(12), "BMI": np.linspace(18, 40, 12)})
    frame.loc[2, "BMI"] = np.nan
    frame.to_parquet(tmp_path / "t.parquet")
    settings = {key: value for key, value in TASK.items() if key != "kind"} | OUTSIDE
    made = outputs(tmp_path)
    settings |= {"table": str(tmp_path / "t.parquet"), "column": "BMI", "task": "regression"}
    write_labels(settings, None, *made)
    samples = pd.read_parquet(made[0])
    assert samples["iid"].tolist() == [str(one) for one in range(12) if one != 2]
    assert samples["y0"].to_numpy() == pytest.approx(frame["BMI"].dropna().to_numpy())
    assert json.loads(made[1].read_text())["kind"] == "regression"
