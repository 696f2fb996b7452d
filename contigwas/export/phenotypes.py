"""The phenotypes of the tested samples as a table that plink and regenie read. It holds samples: a private file."""

import difflib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.loci.gwas_file import OMNIBUS
from contigwas.runtime.atomic_files import PathLike, private_folder, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique, rows_of
from contigwas.tables.text import read_table, require

log = logging.getLogger(__name__)


def write_phenotypes(phenotypes: PathLike, cohort: PathLike, wanted: Sequence[str] | None, output: PathLike) -> None:
    """Write `FID IID`, then one column a feature (those `wanted`, or all), as TSV; NA is missing.

    `phenotypes` is the model's Parquet table, `cohort` says the families. The folder of `output` becomes readable by
    its owner only. White space in a feature's name becomes `_`, since plink splits there. Raises UserError for a
    feature that is not there, and for samples that the cohort has not.
    """
    table = pd.read_parquet(require(phenotypes, "the phenotypes"))
    iid = table.pop("iid").astype(str)
    samples = read_table(cohort, ["fid", "iid"], "the cohort")
    require_unique(samples["iid"], cohort)
    rows = rows_of(iid, samples["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{int((rows < 0).sum())} samples of {phenotypes} are not in {cohort}: run the stage samples again"
        )
    names = [name for name in wanted or [] if name not in OMNIBUS]
    for name in names:
        if name not in table.columns:
            near = difflib.get_close_matches(name, list(table.columns), 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(table.columns[:5])}"
            raise UserError(f"config: export.features names {name}, which is no feature of {phenotypes}: {hint}")
    table = table[[name for name in table.columns if wanted is None or name in names]]
    if not len(table.columns):
        raise UserError(
            "config: export.features names only tests over features, which are no phenotypes: add a feature"
        )
    columns = [re.sub(r"\s", "_", name) for name in table.columns]
    if len(set(columns)) < len(columns):
        raise UserError(f"{phenotypes}: two features differ only in white space, where plink splits: rename one")
    table = table.set_axis(columns, axis=1)
    table.insert(0, "FID", samples["fid"].to_numpy()[rows])
    table.insert(1, "IID", iid.to_numpy())
    private_folder(Path(output).parent)
    write_tsv(table, output)
    log.info("%d samples, %d features", len(table), len(columns))
