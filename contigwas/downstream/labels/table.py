"""Read and validate a table of labels, and encode the labels as numbers. Does not import torch."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.downstream.columns import read_columns, text
from contigwas.downstream.labels.kinds import BINARY, MULTILABEL, ORDINAL, REGRESSION, Target
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)
MAX_CLASSES = 50
ID = "{id}"  # placeholder in a pattern of image files


@dataclass(frozen=True)
class LabelTable:
    """A table of labels.

    samples: indexed by IID, with one column of texts per target and, for an external set, `source` (absolute path of
    the image file); missing values are None.
    columns: the columns of the target.
    """

    samples: pd.DataFrame
    columns: tuple[str, ...]

    @property
    def complete(self) -> pd.Series:
        """Whether a sample has all labels and, in an external set, an image file."""
        return self.samples.notna().all(axis=1)


def write_labels(
    settings: Mapping[str, object],
    cohort: PathLike | None,
    output_samples: PathLike,
    output_target: PathLike,
    withdrawn: PathLike | None = None,
) -> None:
    """Write the labels of the samples of `cohort` or, if it is None, of all samples that are not in `withdrawn`.

    `settings` is the block of the task. `output_samples` (private) has the columns iid, family, source (without a
    cohort), and one numeric column per target, `y0` …. `output_target` has the target and the counts of left-out
    samples: without a label, in a rare class, withdrawn, or not in the cohort. Raises the errors of `read_label_table`
    and `targets`, and UserError if no sample of the cohort is in the table or all participants withdrew.
    """
    labels, table = read_label_table(settings), settings["table"]
    families = pd.Series(labels.samples.index, index=labels.samples.index)
    unknown = withdrew = 0
    if cohort is not None:
        samples = read_cohort(cohort)
        samples = included(samples).set_index("iid")
        require_overlap(labels.samples.index, samples.index, f"the labels ({table})", f"the cohort ({cohort})")
        unknown = int((~labels.samples.index.isin(samples.index)).sum())
        families = samples["family"]
        labels = LabelTable(labels.samples[labels.samples.index.isin(samples.index)], labels.columns)
    elif withdrawn is not None:
        kept = ~labels.samples.index.isin(list(read_withdrawn(withdrawn)))
        withdrew = int((~kept).sum())
        if withdrew == len(kept):
            raise UserError(f"{table}: all participants are in samples.withdrawn. Supply other labels.")
        labels = LabelTable(labels.samples[kept], labels.columns)
    without = int((~labels.complete).sum())
    target, values, dropped = targets(labels, settings)
    counts = {"unknown_samples": unknown, "without_label": without, "withdrew": withdrew, "in_rare_classes": dropped}
    reported = {name: hidden(count) for name, count in counts.items()}
    log.info("%d samples of %s have a label: %s", len(values), table, ", ".join(target.classes or target.names))
    for name, count in reported.items():
        if count:
            log.warning("%s samples of %s are left out: %s", count, table, name.replace("_", " "))
    frame = pd.DataFrame({"iid": values.index, "family": families.reindex(values.index).to_numpy()})
    if "source" in labels.samples:
        frame["source"] = labels.samples["source"].reindex(values.index).to_numpy()
    for number, name in enumerate(target.names):
        frame[f"y{number}"] = values[name].to_numpy()
    for path in (output_samples, output_target):
        private_folder(Path(path).parent)
    with replacing(output_target) as temporary:
        temporary.write_text(json.dumps({**asdict(target), "counts": reported}, indent=1) + "\n")
    write_parquet(frame, output_samples)


def read_label_table(settings: Mapping[str, object]) -> LabelTable:
    """Return the table of labels of a task, with all samples in it.

    Raises UserError if it cannot be read, a column is missing, or a sample or (external set) an image is duplicated.
    """
    table, key = settings["table"], str(settings["id"])
    columns = _listed(settings["column"])
    pattern = "" if settings["cohort"] else str(settings["image"])
    from_column = bool(pattern) and ID not in pattern
    read = read_columns(
        table, [*columns, *([pattern] if from_column else [])], key, remedy="correct column, id or image of the task"
    )
    samples = read[columns].map(text)
    if pattern:
        if "source" in columns:
            raise UserError(f"{table}: source is a reserved name, but it is a column of labels. Rename the column.")
        folder = Path(table).parent.resolve()
        files = read[pattern].map(text) if from_column else [pattern.replace(ID, one) for one in read.index]
        samples["source"] = [None if pd.isna(one) else str(folder / one) for one in files]
        duplicated = int(samples["source"].dropna().duplicated().sum())
        if duplicated:
            raise UserError(f"{table}: {duplicated} rows name an image file again. Keep one row and sample per image.")
    return LabelTable(samples, tuple(columns))


def targets(labels: LabelTable, settings: Mapping[str, object]) -> tuple[Target, pd.DataFrame, int]:
    """Return the target, its values for complete samples (one column per target), and how many samples were dropped.

    Raises UserError if no sample is complete, if values do not fit the kind of the task, if a label is constant, or if
    a class has fewer than `min_class_size` samples and `rare` is not `drop`.
    """
    table, kind = settings["table"], str(settings.get("kind", REGRESSION))
    complete = labels.samples.loc[labels.complete, [*labels.columns]]
    if complete.empty:
        raise UserError(
            f"{table}: none of the {hidden(len(labels.samples))} usable samples has a value in every column "
            f"({', '.join(labels.columns)}). Fill them, or name other columns."
        )
    if kind == REGRESSION:
        return _measurements(complete, table)
    if kind == MULTILABEL:
        return _multilabel(complete, table, settings)
    return _classes(complete, table, kind, settings)


def _measurements(labels: pd.DataFrame, table: object) -> tuple[Target, pd.DataFrame, int]:
    (column,) = labels.columns
    values = pd.to_numeric(labels[column], errors="coerce").astype(float)
    invalid = int((~np.isfinite(values)).sum())
    if invalid:
        raise UserError(
            f"{table}: column {column} is not a finite number in {invalid} rows, but a regression needs numbers. Leave "
            "missing values empty, or set task: classification."
        )
    if np.ptp(values) == 0:
        raise UserError(f"{table}: column {column} has the same value in all usable samples. Name another column.")
    return Target(REGRESSION, (column,)), values.to_frame(), 0


def _multilabel(labels: pd.DataFrame, table: object, settings: Mapping) -> tuple[Target, pd.DataFrame, int]:
    invalid = [name for name in labels if not labels[name].isin(["0", "1"]).all()]
    if invalid:
        count = int((~labels[invalid[0]].isin(["0", "1"])).sum())
        raise UserError(
            f"{table}: column {invalid[0]} is neither 0 nor 1 in {count} rows ({len(invalid)} of the "
            f"{len(labels.columns)} columns have such values). A multilabel task needs 0 and 1: correct column."
        )
    values = labels.astype(float)
    minimum = int(settings["min_class_size"])
    few = [name for name in values if min(values[name].sum(), (1 - values[name]).sum()) < minimum]
    if few and settings["rare"] != "drop":
        raise UserError(
            f"{table}: label {few[0]} is 0 or 1 in fewer than {minimum} samples, as are {len(few) - 1} other labels. "
            "Remove them from column, or set rare: drop."
        )
    values = values.drop(columns=few)
    if values.empty or not len(values.columns):
        raise UserError(f"{table}: every label is 0 or 1 in fewer than {minimum} samples. Name other columns.")
    if few:
        log.warning("%d labels are left out: they are 0 or 1 in fewer than %d samples", len(few), minimum)
    return Target(MULTILABEL, tuple(values.columns)), values, 0


def _classes(labels: pd.DataFrame, table: object, kind: str, settings: Mapping) -> tuple[Target, pd.DataFrame, int]:
    (column,) = labels.columns
    values, minimum = labels[column], int(settings["min_class_size"])
    present = values.unique()
    if len(present) > MAX_CLASSES:
        raise UserError(
            f"{table}: column {column} has {len(present)} values, but a classification has at most {MAX_CLASSES} "
            "classes. Name another column, or set task: regression."
        )
    classes = _ordered(present, kind, settings["classes"], table, column)
    count = values.value_counts()
    few = [one for one in classes if count.get(one, 0) < minimum]
    if len(classes) - len(few) < 2:
        problem = "a single value" if len(classes) == 1 else f"fewer than two classes of at least {minimum} samples"
        raise UserError(f"{table}: column {column} has {problem}. Name another column.")
    if few and settings["rare"] != "drop":
        raise UserError(
            f"{table}: {len(few)} of the {len(classes)} classes of column {column} have fewer than {minimum} samples, "
            "too few for training and testing. Merge them with other classes, or set rare: drop."
        )
    kept = [one for one in classes if one not in few]
    if kind == BINARY and len(kept) != 2:
        raise UserError(
            f"{table}: column {column} has {len(kept)} classes, but kind is binary. Set kind: multiclass or ordinal."
        )
    between = sum(classes.index(kept[0]) < classes.index(one) < classes.index(kept[-1]) for one in few)
    if kind == ORDINAL and between:
        log.warning(
            "%d of the %d grades of %s are left out as too rare, although they are between other grades, which are "
            "then one step apart",
            between,
            len(classes),
            table,
        )
    used = values[values.isin(kept)]
    codes = used.map({name: float(place) for place, name in enumerate(kept)})
    return Target(kind, (column,), tuple(kept)), codes.to_frame(), len(values) - len(used)


def _ordered(
    present: Sequence[str], kind: str, configured: Sequence[object] | None, table: object, column: str
) -> list[str]:
    """Return the classes in order: as configured, otherwise by number, otherwise by name."""
    if configured is not None:
        classes = [str(one) for one in configured]
        others = [one for one in present if one not in classes]
        if others:
            raise UserError(
                f"{table}: column {column} has {len(others)} values that are not in classes of the task. Add them, or "
                "leave these rows empty."
            )
        return classes
    numbers = pd.to_numeric(pd.Series(present), errors="coerce")
    if numbers.notna().all():
        return [one for _, one in sorted(zip(numbers, present, strict=True))]
    if kind == ORDINAL:
        raise UserError(
            f"{table}: column {column} has grades that are not numbers. Set classes of the task, from the lowest grade "
            "to the highest."
        )
    return sorted(present)


def _listed(column: object) -> list[str]:
    return [str(one) for one in column] if isinstance(column, list | tuple) else [str(column)]
