"""What other stages wrote of each model, collected into one table: calibration, retrieval, downstream scores."""

import re
from collections.abc import Sequence

import pandas as pd

from contigwas.downstream.scores import COLUMNS as SCORES
from contigwas.gwas.summary import read_lambda
from contigwas.plots.inflation import inflation
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table, require

WAY = re.compile(r"(?P<way>(?P<one>.+)_to_(?P<other>.+))@(?P<k>\d+)")
CALIBRATION = ["model", "test", "variants", "lambda", "low", "high", "interval"]
RETRIEVAL = ["model", "way", "k", "folds", "epoch", "recall", "chance"]


def calibration(model: str, summaries: Sequence[PathLike]) -> pd.DataFrame:
    """lambda of every test, over features and of each feature, with its 95 % interval: columns `CALIBRATION`."""
    plain = read_lambda(summaries).set_index("test")
    found = inflation(summaries, list(plain.index))
    rows = [
        {"model": model, "test": test, "variants": plain.loc[test, "n"], "lambda": plain.loc[test, "lambda"],
         "low": one.low, "high": one.high, "interval": one.method}
        for test, one in found.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=CALIBRATION)


def retrieval(model: str, histories: Sequence[PathLike]) -> pd.DataFrame:
    """How often the right partner is among the k nearest, after the last epoch, mean over folds: columns `RETRIEVAL`.

    chance is k over the number of validation samples, of whom recall is the share. A method without contrast, or one
    that is not trained, has no row.
    """
    last = [table.iloc[-1] for path in histories if len(table := pd.read_csv(require(path, "a training's history")))]
    rows = []
    for name in dict.fromkeys(name for one in last for name in one.index):
        named = WAY.fullmatch(str(name))
        if not named:
            continue
        ends = ("views",) if named["one"] == "view" or named["other"] == "view" else (named["one"], named["other"])
        folds = [one for one in last if pd.notna(one.get(name))]
        chances = [[one.get(f"chance_{end}@{named['k']}") for one in folds] for end in ends]
        chances = [[one for one in some if pd.notna(one)] for some in chances]
        chance = next((some for some in chances if some), [])
        if folds:
            rows.append(
                {"model": model, "way": named["way"], "k": int(named["k"]), "folds": len(folds),
                 "epoch": int(max(one["epoch"] for one in folds)),
                 "recall": sum(one[name] for one in folds) / len(folds),
                 "chance": sum(chance) / len(chance) if chance else float("nan")}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=RETRIEVAL)


def downstream(tasks: Sequence[tuple[str, str, str]], tables: Sequence[PathLike]) -> pd.DataFrame:
    """The scores of all tasks, over the seeds, with their intervals: `model task kind`, then those of downstream.

    `tasks` are model, task and its kind, in the order of `tables`.
    """
    parts = []
    for (model, task, kind), path in zip(tasks, tables, strict=True):
        table = read_table(path, SCORES, "the scores of a downstream task")
        table = table[table["seed"].isna()]
        parts.append(table.assign(model=model, task=task, kind=kind))
    columns = ["model", "task", "kind", *(name for name in SCORES if name != "seed")]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
