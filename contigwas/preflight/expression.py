"""Gene expression: the header, samples, whether the values can be what expression.scale says, and the list of genes."""

from pathlib import Path

import pandas as pd

from contigwas.expression.order import positions
from contigwas.expression.scale import require_scale
from contigwas.expression.table import KEY, open_expression
from contigwas.preflight.context import Study
from contigwas.preflight.samples import require_shared
from contigwas.tables.sample_features import SampleTable

WHOLE = 32 * 2**20  # bytes: of a larger table the first samples' values are looked at,
SAMPLES = 20  # so many,
NAMED = 2**29  # and of one that is larger than that, whoever is in it is not
SOURCE = "expression"


def check(study: Study) -> None:
    """The files of the block expression."""
    settings = study.config.get("expression")
    if settings is None or not study.there(KEY, settings["table"]):
        return
    known = False
    with study.findings.reported(KEY):
        table = open_expression(settings["table"], settings)
        _table(study, table, settings["scale"])
        known = True
    if known and study.there("expression.genes", settings["genes"]):
        with study.findings.reported("expression.genes"):
            _genes(study, table, settings["genes"])


def _table(study: Study, table: SampleTable, scale: str) -> None:
    analysed, size = study.analysed, table.path.stat().st_size
    if analysed is not None:
        table.require_upright(analysed)
    study.counts["expressed genes"] = len(table.features)
    if size <= WHOLE:
        samples, values = table.read_all()
        looked = "all"
    else:
        iids, values = next(table.blocks(SAMPLES))
        samples = table.samples() if size <= NAMED else pd.Index(iids)
        looked = f"the first {len(iids)}"
    reported = f"{len(samples):,} samples" if size <= NAMED else "samples not counted in a file this large"
    study.findings.fact(
        KEY, f"{len(table.features):,} genes; {reported}; the values of {looked} are looked at as {scale}"
    )
    require_scale(values, scale, table.path)
    if size > NAMED:
        return
    study.samples[SOURCE] = samples
    require_shared(study, SOURCE, str(table.path))
    imaged = study.imaged
    if imaged is not None and len(imaged) and not imaged.isin(samples).any():
        study.findings.error(
            KEY,
            f"nobody of the {len(imaged):,} samples with an image has expression ({len(samples):,} samples in "
            f"{table.path}): supply expression of samples with images",
        )


def _genes(study: Study, table: SampleTable, path: str) -> None:
    if Path(path).stat().st_size > WHOLE:
        study.findings.fact("expression.genes", "too large to be read in seconds")
        return
    found = positions(table.features, path)
    study.findings.fact("expression.genes", f"{(found['chrom'] != '').sum():,} of {len(found):,} genes have a position")
