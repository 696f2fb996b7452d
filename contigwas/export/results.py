"""Results of one feature or test, read in row groups, and the rows that a format leaves out."""

import difflib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.loci.gwas_file import OMNIBUS, names, read_groups
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
VARIANT = ["chrom", "pos", "id", "effect_allele", "other_allele", "eaf", "n", "flag"]
EFFECT = ("beta", "se", "log10p")
GENOME = {str(number): number for number in range(1, 23)} | {"X": 23, "Y": 24, "MT": 25}
NOT_STORED = "without a result (not testable for this feature, or above gwas.max_p)"


@dataclass(frozen=True)
class Result:
    """A feature, or a test over features (`omnibus`), which has a p-value but no effect size."""

    name: str
    omnibus: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of columns that the GWAS has for it."""
        return ("log10p",) if self.omnibus else EFFECT


Reason = Callable[[pd.DataFrame], np.ndarray]


def select_results(
    gwas: Mapping[str, PathLike], wanted: Sequence[str] | None, effects: str | None = None
) -> list[Result]:
    """Return the features and tests to export: those `wanted` in the config, or all, in the order of the files.

    `effects` names a format that needs an effect size and therefore skips tests over features. Raises UserError for a
    name that the GWAS does not have, for a column that gwas.columns leaves out, and if nothing is left to export.
    """
    path = gwas[next(iter(gwas))]
    columns = names(path)
    features = dict.fromkeys(
        column.removeprefix(f"{kind}_") for column in columns for kind in EFFECT if column.startswith(f"{kind}_")
    )
    tests = [name for name in OMNIBUS if name in features]
    features = [name for name in features if name not in OMNIBUS]
    for name in wanted or []:
        if name not in [*features, *tests]:
            raise UserError(_unknown(name, features, tests, path))
    results = [Result(name, name in tests) for name in [*features, *tests] if wanted is None or name in wanted]
    if effects is not None:
        skipped = [result.name for result in results if result.omnibus]
        results = [result for result in results if not result.omnibus]
        if wanted is not None and skipped:
            log.warning(
                "%s: skipped, because a test over features has no effect size for a %s", ", ".join(skipped), effects
            )
        if not results:
            raise UserError(
                f"config: export.features names only tests over features ({', '.join(wanted or tests)}), which have "
                f"no effect size for a {effects}. Add a feature, or export them as plink2 text"
            )
    for result in results:
        missing = [kind for kind in result.kinds if f"{kind}_{result.name}" not in columns]
        if missing:
            raise UserError(
                f"{path} has no column {' or '.join(missing)} of {result.name}, which the export needs. Add it to "
                "gwas.columns; the stage gwas then runs again"
            )
    return results


def _unknown(name: str, features: Sequence[str], tests: Sequence[str], path: PathLike) -> str:
    """Return the message for a name that the GWAS does not have."""
    near = difflib.get_close_matches(name, [*features, *tests], 3)
    some = ", ".join(features[:5]) + (f" and {len(features) - 5} more" if len(features) > 5 else "")
    hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {some}; tests: {', '.join(tests) or 'none'}"
    return f"config: export.features names {name}, but {path} has no such feature or test. {hint}"


def along_genome(gwas: Mapping[str, PathLike]) -> list[PathLike]:
    """Return the files of the chromosomes in genome order, whatever their order in the config."""
    return [gwas[chrom] for chrom in sorted(gwas, key=lambda chrom: GENOME.get(chrom, len(GENOME) + 1))]


def frames(gwas: Mapping[str, PathLike], result: Result) -> Iterator[pd.DataFrame]:
    """Yield the rows of one result along the genome, one row group at a time.

    The columns are those of `VARIANT`, then `beta se log10p` (only log10p for a test over features). `n` is the sample
    size of the feature if it has missing values.
    """
    for path in along_genome(gwas):
        own = f"n_{result.name}"
        has_own_n = own in names(path)
        columns = [*VARIANT, *(f"{kind}_{result.name}" for kind in result.kinds), *([own] if has_own_n else [])]
        for frame in read_groups(path, columns):
            if has_own_n:
                frame["n"] = frame.pop(own)
            yield frame.set_axis([*VARIANT, *result.kinds], axis=1)


def stored(frame: pd.DataFrame) -> np.ndarray:
    """Return whether each row has a finite result, bool (rows,)."""
    return np.isfinite(frame[frame.columns[len(VARIANT) :]].to_numpy(np.float64)).all(axis=1)


def leave_out(frame: pd.DataFrame, reasons: Mapping[str, Reason], counts: Counter) -> pd.DataFrame:
    """Return the rows to which no reason applies; count the others in `counts` under the first reason that applies."""
    kept = np.ones(len(frame), dtype=bool)
    for reason, applies in reasons.items():
        excluded = applies(frame) & kept
        counts[reason] += int(excluded.sum())
        kept &= ~excluded
    return frame if kept.all() else frame[kept]


def with_result(frame: pd.DataFrame, counts: Counter) -> pd.DataFrame:
    """Return the rows with a result; count the others in `counts` under their flag, or as not stored."""
    kept = stored(frame)
    if kept.all():
        return frame
    for flag, count in frame.loc[~kept, "flag"].value_counts().items():
        counts[f"flagged {flag}" if flag else NOT_STORED] += int(count)
    return frame[kept]
