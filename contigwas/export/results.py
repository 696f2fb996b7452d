"""The results of one test, read a row group at a time, and which of them a format leaves out."""

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
    """A feature, or a test over features (`omnibus`), which has a p-value but no effect."""

    name: str
    omnibus: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The columns that the GWAS holds of it, without the name."""
        return ("log10p",) if self.omnibus else EFFECT


Reason = Callable[[pd.DataFrame], np.ndarray]


def chosen(gwas: Mapping[str, PathLike], wanted: Sequence[str] | None, effects: str | None = None) -> list[Result]:
    """The features and tests to export: those `wanted` of the config, or all, in the order of the files.

    `effects` names a format that needs an effect size: tests over features are then no choice. Raises UserError for
    a name that the GWAS has not, for a column that gwas.columns left out, and when nothing is left to export.
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
        passed = [result.name for result in results if result.omnibus]
        results = [result for result in results if not result.omnibus]
        if wanted is not None and passed:
            log.warning("%s: no effect size, so no %s: passed over", ", ".join(passed), effects)
        if not results:
            raise UserError(
                f"config: export.features names only tests over features ({', '.join(wanted or tests)}), which have "
                f"no effect size and so become no {effects}: add a feature, or export them as plink2 text"
            )
    for result in results:
        missing = [kind for kind in result.kinds if f"{kind}_{result.name}" not in columns]
        if missing:
            raise UserError(
                f"{path} has no column {' or '.join(missing)} of {result.name}, which an export needs: "
                "add it to gwas.columns, and the stage gwas runs again"
            )
    return results


def _unknown(name: str, features: Sequence[str], tests: Sequence[str], path: PathLike) -> str:
    near = difflib.get_close_matches(name, [*features, *tests], 3)
    some = ", ".join(features[:5]) + (f" and {len(features) - 5} more" if len(features) > 5 else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {some}; tests: {', '.join(tests) or 'none'}"
    return f"config: export.features names {name}, which is no feature and no test of {path}: {hint}"


def along_genome(gwas: Mapping[str, PathLike]) -> list[PathLike]:
    """The files of the chromosomes, 1 to 22 and then X, however the config lists them."""
    return [gwas[chrom] for chrom in sorted(gwas, key=lambda chrom: GENOME.get(chrom, len(GENOME) + 1))]


def frames(gwas: Mapping[str, PathLike], result: Result) -> Iterator[pd.DataFrame]:
    """The rows of one result along the genome, one row group at a time.

    Columns are those of `VARIANT`, then `beta se log10p` (a test over features has only log10p). `n` is the feature's
    own where it misses samples.
    """
    for path in along_genome(gwas):
        own = f"n_{result.name}"
        there = own in names(path)
        columns = [*VARIANT, *(f"{kind}_{result.name}" for kind in result.kinds), *([own] if there else [])]
        for frame in read_groups(path, columns):
            if there:
                frame["n"] = frame.pop(own)
            yield frame.set_axis([*VARIANT, *result.kinds], axis=1)


def stored(frame: pd.DataFrame) -> np.ndarray:
    """Whether each row has a finite result, bool (rows,)."""
    return np.isfinite(frame[frame.columns[len(VARIANT) :]].to_numpy(np.float64)).all(axis=1)


def leave_out(frame: pd.DataFrame, reasons: Mapping[str, Reason], counts: Counter) -> pd.DataFrame:
    """The rows that no reason speaks against; the others are added to `counts` under the first reason that does."""
    kept = np.ones(len(frame), dtype=bool)
    for reason, of in reasons.items():
        against = of(frame) & kept
        counts[reason] += int(against.sum())
        kept &= ~against
    return frame if kept.all() else frame[kept]


def with_result(frame: pd.DataFrame, counts: Counter) -> pd.DataFrame:
    """The rows that have a result; the others are added to `counts` under their flag, or as not stored."""
    kept = stored(frame)
    if kept.all():
        return frame
    for flag, count in frame.loc[~kept, "flag"].value_counts().items():
        counts[f"flagged {flag}" if flag else NOT_STORED] += int(count)
    return frame[kept]
