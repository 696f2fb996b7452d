"""Phenotypes of the tested samples as a table for plink and REGENIE; a private file, because it has sample IDs."""

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
    """Write FID, IID and one column per feature (those `wanted`, or all) as TSV, with NA for missing values.

    `phenotypes` is the Parquet table of the model; the FID is that of `cohort`. The folder of `output` becomes readable
    only by its owner. White space in the name of a feature becomes `_`, because plink splits there. Raises UserError
    for a feature that does not exist, and for samples that are not in the cohort.
    """
    table = pd.read_parquet(require(phenotypes, "the phenotypes"))
    iid = table.pop("iid").astype(str)
    samples = read_table(cohort, ["fid", "iid"], "the cohort")
    require_unique(samples["iid"], cohort)
    rows = rows_of(iid, samples["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{int((rows < 0).sum())} samples of {phenotypes} are not in {cohort}. Run the stage samples again"
        )
    names = [name for name in wanted or [] if name not in OMNIBUS]
    for name in names:
        if name not in table.columns:
            near = difflib.get_close_matches(name, list(table.columns), 3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {', '.join(table.columns[:5])}"
            raise UserError(f"config: export.features names {name}, but {phenotypes} has no such feature. {hint}")
    table = table[[name for name in table.columns if wanted is None or name in names]]
    if not len(table.columns):
        raise UserError(
            "config: export.features names only tests over features, which are not phenotypes. Add a feature"
        )
    columns = [re.sub(r"\s", "_", name) for name in table.columns]
    if len(set(columns)) < len(columns):
        raise UserError(
            f"{phenotypes}: two feature names differ only in white space, which becomes _. Rename one of them"
        )
    table = table.set_axis(columns, axis=1)
    table.insert(0, "FID", samples["fid"].to_numpy()[rows])
    table.insert(1, "IID", iid.to_numpy())
    private_folder(Path(output).parent)
    write_tsv(table, output)
    log.info("%d samples, %d features", len(table), len(columns))
