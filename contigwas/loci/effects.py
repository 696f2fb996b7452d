"""What the features do at given variants: the best one, its effect, and all that reach a threshold."""

import difflib

import numpy as np
import pandas as pd

from contigwas.loci.clump import threshold
from contigwas.loci.gwas_file import OMNIBUS, features, read_rows
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError


def require_test(path: PathLike, test: str) -> None:
    """Raise UserError unless `test` is a test over features or one of the features of the GWAS at `path`."""
    if test in OMNIBUS:
        return
    names = features(path)
    if test not in names:
        near = difflib.get_close_matches(test, [*names, *OMNIBUS], 3, 0.5)
        some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        hint = f"did you mean {' or '.join(near)}?" if near else f"features are {some or 'none'}"
        raise UserError(
            f"config: loci.test is {test}, which is neither {', '.join(OMNIBUS)} nor a feature of {path}: {hint}"
        )


def effects_at(path: PathLike, rows: np.ndarray, feature_p: float) -> pd.DataFrame:
    """`eaf n best_feature beta se features` at each of `rows` of a GWAS, in that order.

    best_feature has the largest -log10 p (of equal ones the first in the file), beta and se are its, empty and NaN
    where no feature has a p; features are all with p <= `feature_p`, the best first, joined by commas.
    """
    names = features(path)
    wanted = [f"{kind}_{name}" for name in names for kind in ("log10p", "beta", "se")]
    found = read_rows(path, rows, ["eaf", "n", *wanted])
    names = [name for name in names if f"log10p_{name}" in found]
    table = found[["eaf", "n"]].copy()
    if not names:
        return table.assign(best_feature="", beta=np.nan, se=np.nan, features="")
    log10p = found[[f"log10p_{name}" for name in names]].to_numpy()
    reached = np.where(np.isnan(log10p), -np.inf, log10p)
    order = np.argsort(-reached, axis=1, kind="stable")
    best, none = order[:, 0], np.isnan(log10p).all(axis=1)
    table["best_feature"] = np.where(none, "", np.array(names, dtype=object)[best])
    for kind in ("beta", "se"):
        every = found.reindex(columns=[f"{kind}_{name}" for name in names]).to_numpy(dtype=np.float64)
        table[kind] = np.where(none, np.nan, every[np.arange(len(best)), best])
    cut = threshold(feature_p, log10p)
    table["features"] = [
        ",".join(names[column] for column in columns if values[column] >= cut)
        for columns, values in zip(order, reached, strict=True)
    ]
    return table
