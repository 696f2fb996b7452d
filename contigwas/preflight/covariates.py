"""Covariates: are the named ones there, do they vary, and who has all of them."""

from collections.abc import Sequence

import pandas as pd

from contigwas.preflight.context import Study
from contigwas.preflight.samples import require_shared
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import UNKNOWN, expand, levels_of, look_up, read_covariate_table

TABLE = "samples.covariates"
MISSING = 0.2  # share of the samples without a covariate that is worth a warning


def check(study: Study) -> None:
    """What gwas.covariates and covariates.columns name, in the table and among the genetic components."""
    path = study.config["samples"]["covariates"]
    sources = []
    if path:
        if not study.there(TABLE, path):
            return
        with study.findings.reported(TABLE):
            sources = [read_covariate_table(path)]
            study.samples["covariates"] = sources[0].index
            require_shared(study, "covariates", path)
    study.counts["covariates"] = 0
    _named(study, "gwas.covariates", study.config["gwas"]["covariates"], sources)
    if "covariates" in study.config:
        _named(study, "covariates.columns", study.config["covariates"]["columns"], sources)


def _named(study: Study, key: str, names: Sequence[str], sources: Sequence[pd.DataFrame]) -> None:
    samples = study.imaged if study.imaged is not None and len(study.imaged) else study.analysed
    path = study.config["samples"]["covariates"]
    if samples is None or not len(samples) or (path and not sources):
        return
    made = {f"PC{number + 1}" for number in range(study.config["genotypes"]["pcs"])}
    wanted = [name for name in expand(names) if name not in made]
    count = len(expand(names)) - len(wanted)
    with study.findings.reported(key):
        table = look_up(wanted, sources, pd.DataFrame({"iid": samples, "sex": 0}), path, key)
        known = table.notna() & ~table.isin(UNKNOWN)
        # without a column of its own, sex is that of the genotypes' tables
        given = [name for name in wanted if name != "sex" or known["sex"].any()]
        for name in given:
            count += _look(study, key, name, table.loc[known[name], name], len(samples), path)
        complete = int(known[given].all(axis=1).sum())
        reported = f"{complete:,} of {len(samples):,} samples have every covariate of {', '.join(names) or 'none'}"
        study.findings.fact(key, reported)
        if key.startswith("gwas"):
            study.counts["covariates"] = count
        if not complete:
            raise UserError(
                f"nobody of {len(samples)} samples has every covariate of {key} ({path}): complete the table or name "
                "other covariates"
            )


def _look(study: Study, key: str, name: str, values: pd.Series, samples: int, path: str | None) -> int:
    """Warn of a covariate that does not vary or that many lack; how many columns it becomes."""
    lacking = samples - len(values)
    if lacking > MISSING * samples:
        study.findings.warn(
            key,
            f"{lacking:,} of {samples:,} samples have no {name}, and are not tested: complete it or take it out of {key}",
        )
    columns = 1
    if not pd.api.types.is_numeric_dtype(values):
        columns = max(len(levels_of(values.astype(str), name, path, key)) - 1, 1)
    if len(values) and values.nunique() == 1:
        study.findings.warn(key, f"the covariate {name} is constant and will be left out: take it out of {key}")
    return columns
