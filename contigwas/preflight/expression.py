"""Gene expression: the header, people, whether the values can be what expression.scale says, and the list of genes."""

from pathlib import Path

import pandas as pd

from contigwas.expression.order import positions
from contigwas.expression.scale import require_scale
from contigwas.expression.table import KEY, open_expression
from contigwas.preflight.context import Study
from contigwas.preflight.samples import require_shared
from contigwas.tables.sample_features import PeopleTable

WHOLE = 32 * 2**20  # bytes: of a larger table the first people's values are looked at,
PEOPLE = 20  # so many,
NAMED = 2**29  # and of one that is larger than that, whoever is in it is not
SOURCE = "expression"


def check(study: Study) -> None:
    """The files of the block expression."""
    settings = study.config.get("expression")
    if settings is None or not study.there(KEY, settings["table"]):
        return
    known = False
    with study.findings.told(KEY):
        table = open_expression(settings["table"], settings)
        _table(study, table, settings["scale"])
        known = True
    if known and study.there("expression.genes", settings["genes"]):
        with study.findings.told("expression.genes"):
            _genes(study, table, settings["genes"])


def _table(study: Study, table: PeopleTable, scale: str) -> None:
    analysed, size = study.analysed, table.path.stat().st_size
    if analysed is not None:
        table.require_upright(analysed)
    study.counts["expressed genes"] = len(table.features)
    if size <= WHOLE:
        people, values = table.read_all()
        looked = "all"
    else:
        iids, values = next(table.blocks(PEOPLE))
        people = table.people() if size <= NAMED else pd.Index(iids)
        looked = f"the first {len(iids)}"
    told = f"{len(people):,} people" if size <= NAMED else "people not counted in a file this large"
    study.findings.fact(KEY, f"{len(table.features):,} genes; {told}; the values of {looked} are looked at as {scale}")
    require_scale(values, scale, table.path)
    if size > NAMED:
        return
    study.people[SOURCE] = people
    require_shared(study, SOURCE, str(table.path))
    imaged = study.imaged
    if imaged is not None and len(imaged) and not imaged.isin(people).any():
        study.findings.error(
            KEY,
            f"nobody of the {len(imaged):,} people with an image has expression ({len(people):,} people in "
            f"{table.path}): bring expression of people with images",
        )


def _genes(study: Study, table: PeopleTable, path: str) -> None:
    if Path(path).stat().st_size > WHOLE:
        study.findings.fact("expression.genes", "too large to be read in seconds")
        return
    found = positions(table.features, path)
    study.findings.fact("expression.genes", f"{(found['chrom'] != '').sum():,} of {len(found):,} genes have a position")
