"""The table of labels: whose they are, as numbers, and every reason to refuse them. torch is not imported."""

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
MOST = 50  # values of a column that is a label
ID = "{id}"  # in a pattern of image files


@dataclass(frozen=True)
class Given:
    """A table of labels as it was read. samples: indexed by IID, a column a target (values as texts) and,
    of an external set, `source` (image files, whole paths); None where missing.
    """

    samples: pd.DataFrame
    columns: tuple[str, ...]

    @property
    def known(self) -> pd.Series:
        """Who has every value, and of an external set an image."""
        return self.samples.notna().all(axis=1)


def write_labels(
    settings: Mapping[str, object],
    cohort: PathLike | None,
    output_samples: PathLike,
    output_target: PathLike,
    withdrawn: PathLike | None = None,
) -> None:
    """Write the labels of the samples of `cohort` or, where that is None, of everyone but those in `withdrawn`.

    `settings` is the task's block. `output_samples` (private): iid family, source where there is
    no cohort, and a column of numbers a target, `y0` …; `output_target`: what is predicted, and counts. Samples without
    a label and labels of others are counted. Raises UserError as `given_labels` and `targets` do, and where nobody of
    the cohort is in the table or everyone withdrew.
    """
    given, table = given_labels(settings), settings["table"]
    families = pd.Series(given.samples.index, index=given.samples.index)
    unknown = gone = 0
    if cohort is not None:
        samples = read_cohort(cohort)
        samples = included(samples).set_index("iid")
        require_overlap(given.samples.index, samples.index, f"the labels ({table})", f"the cohort ({cohort})")
        unknown = int((~given.samples.index.isin(samples.index)).sum())
        families = samples["family"]
        given = Given(given.samples[given.samples.index.isin(samples.index)], given.columns)
    elif withdrawn is not None:
        left = ~given.samples.index.isin(list(read_withdrawn(withdrawn)))
        gone = int((~left).sum())
        if gone == len(left):
            raise UserError(f"everyone whom {table} names is in samples.withdrawn: nobody is left, supply other labels")
        given = Given(given.samples[left], given.columns)
    without = int((~given.known).sum())
    target, values, dropped = targets(given, settings)
    counts = {"unknown_samples": unknown, "without_label": without, "withdrew": gone, "in_rare_classes": dropped}
    reported = {name: hidden(count) for name, count in counts.items()}
    log.info("%d samples of %s have a label, %s", len(values), table, ", ".join(target.classes or target.names))
    for name, count in reported.items():
        if count:
            log.warning("%s samples of %s are left out: %s", count, table, name.replace("_", " "))
    frame = pd.DataFrame({"iid": values.index, "family": families.reindex(values.index).to_numpy()})
    if "source" in given.samples:
        frame["source"] = given.samples["source"].reindex(values.index).to_numpy()
    for number, name in enumerate(target.names):
        frame[f"y{number}"] = values[name].to_numpy()
    for path in (output_samples, output_target):
        private_folder(Path(path).parent)
    with replacing(output_target) as temporary:
        temporary.write_text(json.dumps({**asdict(target), "counts": reported}, indent=1) + "\n")
    write_parquet(frame, output_samples)


def given_labels(settings: Mapping[str, object]) -> Given:
    """The table of a task, whoever is in it.

    Raises UserError where it cannot be read, lacks a column, names a sample twice or, of an external set, an image.
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
            raise UserError(f"{table}: a column of labels is called source, as that of the image files is: rename it")
        folder = Path(table).parent.resolve()
        files = read[pattern].map(text) if from_column else [pattern.replace(ID, one) for one in read.index]
        samples["source"] = [None if pd.isna(one) else str(folder / one) for one in files]
        twice = int(samples["source"].dropna().duplicated().sum())
        if twice:
            raise UserError(f"{table} names {twice} image files more than once: give each image one row and one sample")
    return Given(samples, tuple(columns))


def targets(given: Given, settings: Mapping[str, object]) -> tuple[Target, pd.DataFrame, int]:
    """What is predicted, its values (a column a target) of the samples with labels, and who is dropped as too rare.

    Raises UserError where nobody has a label, where values are not of the task's kind, where a label is constant, and
    where a class has fewer than `least` samples but `rare` does not say to drop them.
    """
    table, kind = settings["table"], str(settings.get("kind", REGRESSION))
    known = given.samples.loc[given.known, [*given.columns]]
    if known.empty:
        raise UserError(
            f"{table}: of the {hidden(len(given.samples))} samples that count none has a value in every column "
            f"({', '.join(given.columns)}): fill them, or name other columns"
        )
    if kind == REGRESSION:
        return _measurements(known, table)
    if kind == MULTILABEL:
        return _several(known, table, settings)
    return _classes(known, table, kind, settings)


def _measurements(known: pd.DataFrame, table: object) -> tuple[Target, pd.DataFrame, int]:
    (column,) = known.columns
    values = pd.to_numeric(known[column], errors="coerce").astype(float)
    odd = int((~np.isfinite(values)).sum())
    if odd:
        raise UserError(
            f"{table}: the column {column} holds what is no number in {odd} rows, but a regression needs numbers: "
            "leave them empty where unknown, or write task: classification"
        )
    if np.ptp(values) == 0:
        raise UserError(f"{table}: the column {column} is the same in everybody who counts: nothing can be learned")
    return Target(REGRESSION, (column,)), values.to_frame(), 0


def _several(known: pd.DataFrame, table: object, settings: Mapping) -> tuple[Target, pd.DataFrame, int]:
    odd = [name for name in known if not known[name].isin(["0", "1"]).all()]
    if odd:
        count = int((~known[odd[0]].isin(["0", "1"])).sum())
        raise UserError(
            f"{table}: the column {odd[0]} is neither 0 nor 1 in {count} rows (so are {len(odd)} of the "
            f"{len(known.columns)} columns): a multilabel task needs 0 and 1, correct column"
        )
    values = known.astype(float)
    least = int(settings["least"])
    few = [name for name in values if min(values[name].sum(), (1 - values[name]).sum()) < least]
    if few and settings["rare"] != "drop":
        raise UserError(
            f"{table}: the label {few[0]} is 0 or 1 in fewer than {least} samples, as are {len(few) - 1} other labels: "
            "take them out of column, or write rare: drop"
        )
    values = values.drop(columns=few)
    if values.empty or not len(values.columns):
        raise UserError(f"{table}: every label is 0 or 1 in fewer than {least} samples: name other columns")
    if few:
        log.warning("%d labels are left out, which are 0 or 1 in fewer than %d samples", len(few), least)
    return Target(MULTILABEL, tuple(values.columns)), values, 0


def _classes(known: pd.DataFrame, table: object, kind: str, settings: Mapping) -> tuple[Target, pd.DataFrame, int]:
    (column,) = known.columns
    values, least = known[column], int(settings["least"])
    there = values.unique()
    if len(there) > MOST:
        raise UserError(
            f"{table}: the column {column} has {len(there)} values, more than {MOST}, which are no classes: name "
            "another column, or write task: regression"
        )
    classes = _ordered(there, kind, settings["classes"], table, column)
    count = values.value_counts()
    few = [one for one in classes if count.get(one, 0) < least]
    if len(classes) - len(few) < 2:
        many = "one value alone" if len(classes) == 1 else f"fewer than two classes of {least} samples or more"
        raise UserError(
            f"{table}: the column {column} has {many}, so nothing can be distinguished: name another column"
        )
    if few and settings["rare"] != "drop":
        raise UserError(
            f"{table}: {len(few)} of the {len(classes)} classes of the column {column} have fewer than {least} "
            "samples, and cannot be both learned and tested: merge them with others, or write rare: drop"
        )
    kept = [one for one in classes if one not in few]
    if kind == BINARY and len(kept) != 2:
        raise UserError(
            f"{table}: the column {column} has {len(kept)} classes, but kind is binary: write multiclass or ordinal"
        )
    between = sum(classes.index(kept[0]) < classes.index(one) < classes.index(kept[-1]) for one in few)
    if kind == ORDINAL and between:
        log.warning(
            "%d of the %d grades of %s are left out as too rare though they lie between others, which then count as "
            "one step apart",
            between,
            len(classes),
            table,
        )
    inside = values[values.isin(kept)]
    codes = inside.map({name: float(place) for place, name in enumerate(kept)})
    return Target(kind, (column,), tuple(kept)), codes.to_frame(), len(values) - len(inside)


def _ordered(there: Sequence[str], kind: str, asked: Sequence[object] | None, table: object, column: str) -> list[str]:
    """The classes in their order: as asked for, else by number, else by name."""
    if asked is not None:
        named = [str(one) for one in asked]
        others = [one for one in there if one not in named]
        if others:
            raise UserError(
                f"{table}: the column {column} has {len(others)} values that classes does not name: add them, or leave "
                "those rows empty"
            )
        return named
    numbers = pd.to_numeric(pd.Series(there), errors="coerce")
    if numbers.notna().all():
        return [one for _, one in sorted(zip(numbers, there, strict=True))]
    if kind == ORDINAL:
        raise UserError(
            f"{table}: the column {column} has grades that are no numbers: write classes of the task, from the lowest "
            "to the highest"
        )
    return sorted(there)


def _listed(column: object) -> list[str]:
    return [str(one) for one in column] if isinstance(column, list | tuple) else [str(column)]
