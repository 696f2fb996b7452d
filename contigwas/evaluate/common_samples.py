"""Loci of every model at equal people: those whom all models test."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import open_genotypes
from contigwas.gwas.design import NothingToTestError
from contigwas.gwas.gwas import write_gwas
from contigwas.gwas.output import OMNIBUS, features_folder, gwas_table
from contigwas.gwas.summary import Histogram, read_summary
from contigwas.loci import COLUMNS, write_loci
from contigwas.runtime.atomic_files import (
    PathLike,
    private_folder,
    replacing,
    replacing_folder,
    sweep,
    write_parquet,
    write_tsv,
)
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
LEAST = 50  # people whom all models test: with fewer a count of loci says nothing
PER_COVARIATE = 2  # people for each covariate, that many are needed too
SHOWN_P = 0.01  # effects with a larger p are of no use to a table of loci


def write_equal_people(
    phenotypes: Mapping[str, PathLike],
    covariates: Mapping[str, PathLike],
    pattern: str,
    chrom: str,
    output_people: PathLike,
    output_counts: PathLike,
) -> None:
    """Write the people whom every model tests (iid), and how many they are: `model people equal_people same again`.

    Tested are people with a feature, every covariate and genotypes (of `chrom`), as in the GWAS. same is 1 where the
    model tests just these: its own GWAS then stands; again is 1 where it runs again for them. Both are 0 where there
    are fewer than 50, or than two for each covariate of any model.
    """
    genotyped = pd.Index(open_genotypes(pattern, chrom).people["iid"])
    designs = {model: pd.read_parquet(path).set_index("iid") for model, path in covariates.items()}
    people = {model: _tested(phenotypes[model], designs[model]).intersection(genotyped) for model in phenotypes}
    common = genotyped
    for mine in people.values():
        common = common.intersection(mine, sort=False)
    needed = max(LEAST, *(PER_COVARIATE * design.shape[1] for design in designs.values()))
    counts = pd.DataFrame({"model": [*people], "people": [len(mine) for mine in people.values()]})
    counts["equal_people"] = len(common)
    enough, same = len(common) >= needed, counts["people"] == len(common)
    counts = counts.assign(same=(enough & same).astype(int), again=(enough & ~same).astype(int))
    private_folder(Path(output_people).parent)
    write_parquet(pd.DataFrame({"iid": common.to_numpy(str)}), output_people)
    write_tsv(counts, output_counts)
    log.info("%d people are tested by all of %d models", len(common), len(people))
    if not enough:
        log.warning("that is fewer than %d: loci at equal people are left out", needed)


def read_counts(path: PathLike) -> pd.DataFrame:
    """The counts of `write_equal_people`, by model; same and again are bool."""
    columns = ["model", "people", "equal_people", "same", "again"]
    table = read_table(path, columns, "the counts at equal people").astype({"model": str, "same": bool, "again": bool})
    return table.set_index("model")


def write_equal_gwas(
    model: str,
    counts: PathLike,
    people: PathLike,
    phenotypes: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    output_summary: PathLike,
    **study: object,
) -> None:
    """The GWAS of a chromosome again among `people`; files without a row where it need not, or cannot, be done.

    It cannot where these people are too few, or where none of the features varies among them. `settings` are those of
    the GWAS with the test of the loci: of the tests over features only that is made (none where loci are those of a
    feature), and effects with p above 0.01 are left empty. `study` goes to `gwas.write_gwas`.
    """
    count = read_counts(counts).loc[model]
    if not count["again"]:
        _write_nothing(output, output_summary)
        log.info("%s is not tested again: %s", model, "it tests just these people" if count["same"] else "too few")
        return
    test = settings["test"]
    used = {
        "tests": [test] if test in OMNIBUS else [],
        "max_p": min(settings["max_p"] or 1, SHOWN_P),
    }
    chosen = pd.Index(pd.read_parquet(people)["iid"])
    table = pd.read_parquet(phenotypes)
    # what names people stays in the private folder, even for a moment, and what a killed job left there goes
    private, name = private_folder(Path(people).parent), f"{model}.{Path(output).stem}"
    sweep(private, name)
    with TemporaryDirectory(prefix=".", suffix=f".tmp.{name}", dir=private) as folder:
        part = Path(folder, Path(phenotypes).name)
        write_parquet(table[table["iid"].isin(chosen)], part)
        try:
            write_gwas(
                phenotypes=part, settings={**settings, **used}, output=output, output_summary=output_summary, **study
            )
        except NothingToTestError as error:
            log.warning("%s cannot be tested at equal people: %s", model, error)
            _write_untested(table.columns.drop("iid"), {**settings, **used}, output, output_summary)


def write_equal_loci(model: str, counts: PathLike, own: PathLike, output: PathLike, **study: object) -> None:
    """The loci of a model at equal people: its `own` where it tests just these people, else those of the GWAS again.

    A header only where the people are too few. `study` goes to `loci.write_loci`.
    """
    count = read_counts(counts).loc[model]
    if count["again"]:
        write_loci(output=output, **study)
    elif count["same"]:
        with replacing(output) as temporary:
            shutil.copyfile(own, temporary)
    else:
        write_tsv(pd.DataFrame(columns=COLUMNS), output)


def has_p(summaries: Sequence[PathLike], test: str) -> bool:
    """Whether a GWAS gave any p of `test`, by the summaries of its chromosomes."""
    counts = read_summary(summaries)
    return bool(counts.loc[counts["test"] == test, "count"].sum() > 0)


def _tested(phenotypes: PathLike, design: pd.DataFrame) -> pd.Index:
    """Who has a feature and every covariate, as in `gwas.people.tested_people`."""
    features = pd.read_parquet(phenotypes).set_index("iid")
    features, design = features.mask(np.isinf(features)), design.mask(np.isinf(design))
    some = features.index[features.notna().any(axis=1)]
    return some.intersection(design.index[design.notna().all(axis=1)], sort=False).astype(str)


def _write_nothing(output: PathLike, output_summary: PathLike) -> None:
    write_parquet(pd.DataFrame({"chrom": pd.Series(dtype=str)}), output)
    write_parquet(pd.DataFrame({"test": pd.Series(dtype=str)}), output_summary)
    with replacing_folder(features_folder(output)):
        pass


def _write_untested(
    features: Sequence[str], settings: Mapping[str, object], output: PathLike, output_summary: PathLike
) -> None:
    """The files of a GWAS of `features` without a row."""
    form = {"features": features, "partial": [], "tests": settings["tests"], "columns": settings["columns"]}
    with gwas_table(output, {"people": 0, "features": len(features)}, **form):
        Histogram([*features, *settings["tests"]]).write(output_summary)
