"""Feature effects at lead variants: the best feature, its effect, and all features below a p-value."""

import difflib

import numpy as np
import pandas as pd

from contigwas.loci.clump import threshold
from contigwas.loci.gwas_file import OMNIBUS, features, read_rows
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError


def require_test(path: PathLike, test: str) -> None:
    """Raise UserError unless `test` is a test over features or a feature of the GWAS at `path`."""
    if test in OMNIBUS:
        return
    names = features(path)
    if test not in names:
        near = difflib.get_close_matches(test, [*names, *OMNIBUS], 3, 0.5)
        listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        hint = f"Did you mean {' or '.join(near)}?" if near else f"The features are {listed or 'none'}"
        raise UserError(
            f"config: loci.test is {test}, but it must be one of {', '.join(OMNIBUS)} or a feature of {path}. {hint}"
        )


def effects_at(path: PathLike, rows: np.ndarray, feature_p: float) -> pd.DataFrame:
    """Return `eaf n best_feature beta se features` of the GWAS at `rows`, in this order.

    `best_feature` has the smallest p-value (of ties the first in the file), and `beta` and `se` are its effect. They
    are empty and NaN if no feature has a p-value. `features` lists all features with p <= `feature_p`, the most
    significant first, joined by commas.
    """
    names = features(path)
    wanted = [f"{kind}_{name}" for name in names for kind in ("log10p", "beta", "se")]
    found = read_rows(path, rows, ["eaf", "n", *wanted])
    names = [name for name in names if f"log10p_{name}" in found]
    table = found[["eaf", "n"]].copy()
    if not names:
        return table.assign(best_feature="", beta=np.nan, se=np.nan, features="")
    log10p = found[[f"log10p_{name}" for name in names]].to_numpy()
    comparable = np.where(np.isnan(log10p), -np.inf, log10p)
    order = np.argsort(-comparable, axis=1, kind="stable")
    best, untested = order[:, 0], np.isnan(log10p).all(axis=1)
    table["best_feature"] = np.where(untested, "", np.array(names, dtype=object)[best])
    for kind in ("beta", "se"):
        effects = found.reindex(columns=[f"{kind}_{name}" for name in names]).to_numpy(dtype=np.float64)
        table[kind] = np.where(untested, np.nan, effects[np.arange(len(best)), best])
    min_log10p = threshold(feature_p, log10p)
    table["features"] = [
        ",".join(names[column] for column in columns if values[column] >= min_log10p)
        for columns, values in zip(order, comparable, strict=True)
    ]
    return table
