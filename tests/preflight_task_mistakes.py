"""Mistakes in the downstream tasks of a study, as in tests/preflight_mistakes.py."""

from PIL import Image

from tests.preflight_files import SAMPLES


def masks_of_other_size(one):
    Image.new("L", (60, 64)).save(one.folder / "eyes/000_mask.png")


def masks_of_no_label(one):
    one.set(downstream={"spot": {**one.config["downstream"]["spot"], "labels": {"spot": 7}}})


def masks_of_others(one):
    one.lines("masks.tsv", lambda lines: [lines[0], *(f"X{line}" for line in lines[1:])])


def no_mask_there(one):
    one.lines("masks.tsv", lambda lines: [line.replace("_mask.png", "_lesion.png") for line in lines])


def fewer_samples_than_folds(one):
    one.lines("masks.tsv", lambda lines: lines[:4])
    one.set(downstream={"spot": {**one.config["downstream"]["spot"], "cohort": False}})


def labels_without_column(one):
    one.lines("kinds.tsv", lambda lines: ["IID\tsort", *lines[1:]])


def labels_twice_named(one):
    one.lines("kinds.tsv", lambda lines: ["IID\tkind\tKind", *(f"{line}\t1" for line in lines[1:])])


def one_label(one):
    one.lines("kinds.tsv", lambda lines: [line.replace("rare", "typical") for line in lines])


def labels_of_others(one):
    one.lines("kinds.tsv", lambda lines: [lines[0], *(f"X{line}" for line in lines[1:])])


def labels_of_samples_left_out(one):
    one.lines("kinds.tsv", lambda lines: [lines[0], *lines[-5:]])


def labels_of_no_parquet(one):
    (one.folder / "kinds.tsv").rename(one.folder / "kinds.parquet")
    labels = {"table": "kinds.parquet", "column": "kind"}
    one.set(downstream={"kinds": {**one.config["downstream"]["kinds"], "labels": labels}})


def graded(one, lines, **changes):
    """A classification of the study's samples (or of others), with a table of its own."""
    task = {"task": "classification", "kind": "ordinal", "table": "grades.csv", "column": "grade", "arms": ["probe"]}
    (one.folder / "grades.csv").write_text("\n".join(["iid,grade", *lines]) + "\n")
    one.set(downstream={"grade": task | changes})


def grade_of_one_sample(one):
    graded(one, [f"{iid},{'4' if place == 3 else place % 2}" for place, iid in enumerate(SAMPLES[1:80])])


def constant_grade(one):
    graded(one, [f"{iid},1" for iid in SAMPLES[1:80]])


def grades_of_others(one):
    graded(one, [f"X{place},{place % 2}" for place in range(50)])


def grades_of_a_sample_twice(one):
    graded(one, [f"{iid},{place % 2}" for place, iid in enumerate([*SAMPLES[1:80], SAMPLES[5]])])


def measurement_that_is_text(one):
    task = {"task": "regression", "table": "sizes.tsv", "column": "size", "arms": ["probe"]}
    lines = [f"{iid}\t{'tall' if place == 3 else place}" for place, iid in enumerate(SAMPLES[1:80])]
    (one.folder / "sizes.tsv").write_text("\n".join(["iid\tsize", *lines]) + "\n")
    one.set(downstream={"grade": task})


def labels_that_are_not_0_or_1(one):
    lines = [f"{iid},{place % 3}" for place, iid in enumerate(SAMPLES[1:80])]
    graded(one, lines, kind="multilabel", column=["grade"])


def no_image_of_an_external_set(one):
    lines = [f"X{place},{place % 2}" for place in range(50)]
    graded(one, lines, cohort=False, image="train_images/{id}.png", models=["contig"])


TASK_ERRORS = [
    (masks_of_other_size, "downstream.spot.table", "Supply each mask at the size of its image file"),
    (masks_of_no_label, "downstream.spot.table", "Labels are 0 and 7: add the values to labels in the config"),
    (masks_of_others, "downstream.spot.table", "IIDs must be written the same way in both"),
    (no_mask_there, "downstream.spot.table", "masks.tsv: none of the 30 images has a mask file. Correct the paths"),
    (fewer_samples_than_folds, "downstream.spot.table", "fewer than the 5 folds. Lower folds"),
    (labels_without_column, "downstream.kinds.labels.table", "kinds.tsv has no column kind"),
    (labels_twice_named, "downstream.kinds.labels.table", "differ only in case: rename or drop"),
    (labels_of_others, "downstream.kinds.labels.table", "IIDs must be written the same way in both"),
    (labels_of_no_parquet, "downstream.kinds.labels.table", "is not a Parquet file (labels): write it again"),
    (labels_of_samples_left_out, "downstream.kinds.labels.column", "no sample is in both the analysed samples"),
    (one_label, "downstream.kinds.labels.column", "Name another column, or remove labels from the task"),
    (grade_of_one_sample, "downstream.grade.column", "Merge them with other classes, or set rare: drop"),
    (
        constant_grade,
        "downstream.grade.column",
        "column grade has a single value. Name another column",
    ),
    (grades_of_others, "downstream.grade.table", "IIDs must be written the same way in both"),
    (grades_of_a_sample_twice, "downstream.grade.table", "Keep one row per sample"),
    (measurement_that_is_text, "downstream.grade.column", "is not a finite number in 1 rows"),
    (labels_that_are_not_0_or_1, "downstream.grade.column", "A multilabel task needs 0 and 1: correct column"),
    (no_image_of_an_external_set, "downstream.grade.table", "grades.csv: none of the 50 images exists"),
]
