"""Check that the covariates exist and vary, and count the samples with all of them."""

from collections.abc import Sequence

import pandas as pd

from contigwas.preflight.context import PreflightContext
from contigwas.preflight.samples import require_shared
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import UNKNOWN, expand, levels_of, look_up, read_covariate_table

TABLE = "samples.covariates"
MAX_MISSING = 0.2  # share of samples without a covariate above which a warning is added


def check(context: PreflightContext) -> None:
    """Check gwas.covariates and covariates.columns against the covariate table and the genetic PCs."""
    path = context.config["samples"]["covariates"]
    sources = []
    if path:
        if not context.has_file(TABLE, path):
            return
        with context.findings.report_errors(TABLE):
            sources = [read_covariate_table(path)]
            context.samples["covariates"] = sources[0].index
            require_shared(context, "covariates", path)
    context.counts["covariates"] = 0
    _check_names(context, "gwas.covariates", context.config["gwas"]["covariates"], sources)
    if "covariates" in context.config:
        _check_names(context, "covariates.columns", context.config["covariates"]["columns"], sources)


def _check_names(context: PreflightContext, key: str, names: Sequence[str], sources: Sequence[pd.DataFrame]) -> None:
    """Check the covariates of one config key, among the samples with images if there are any."""
    samples = context.imaged if context.imaged is not None and len(context.imaged) else context.analysed
    path = context.config["samples"]["covariates"]
    if samples is None or not len(samples) or (path and not sources):
        return
    components = {f"PC{number + 1}" for number in range(context.config["genotypes"]["pcs"])}
    wanted = [name for name in expand(names) if name not in components]
    count = len(expand(names)) - len(wanted)
    with context.findings.report_errors(key):
        table = look_up(wanted, sources, pd.DataFrame({"iid": samples, "sex": 0}), path, key)
        present = table.notna() & ~table.isin(UNKNOWN)
        # without a column sex in the table, the run takes sex from the genotype files
        given = [name for name in wanted if name != "sex" or present["sex"].any()]
        for name in given:
            count += _check_values(context, key, name, table.loc[present[name], name], len(samples), path)
        complete = int(present[given].all(axis=1).sum())
        context.findings.fact(
            key, f"{complete:,} of {len(samples):,} samples have every covariate of {', '.join(names) or 'none'}"
        )
        if key.startswith("gwas"):
            context.counts["covariates"] = count
        if not complete:
            raise UserError(
                f"{key}: none of {len(samples)} samples has every covariate ({path}). Complete the table or name "
                "other covariates"
            )


def _check_values(
    context: PreflightContext, key: str, name: str, values: pd.Series, samples: int, path: str | None
) -> int:
    """The number of columns of a covariate in the design; warns if it is constant or missing in many samples."""
    missing = samples - len(values)
    if missing > MAX_MISSING * samples:
        context.findings.warn(
            key,
            f"{missing:,} of {samples:,} samples have no {name}, and are not tested: complete it or remove it from "
            f"{key}",
        )
    columns = 1
    if not pd.api.types.is_numeric_dtype(values):
        columns = max(len(levels_of(values.astype(str), name, path, key)) - 1, 1)
    if len(values) and values.nunique() == 1:
        context.findings.warn(key, f"the covariate {name} is constant and will be left out: remove it from {key}")
    return columns
