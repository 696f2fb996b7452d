"""Loci of every model at equal people: those whom all models test."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from contigwas.files import (
    PathLike,
    private_folder,
    read_table,
    replacing,
    replacing_folder,
    sweep,
    write_parquet,
    write_tsv,
)
from contigwas.genotypes.reader import open_genotypes
from contigwas.gwas.gwas import write_gwas
from contigwas.gwas.output import OMNIBUS, features_folder
from contigwas.loci import COLUMNS, write_loci

log = logging.getLogger(__name__)
LEAST = 50  # people whom all models test: with fewer a count of loci says nothing
SHOWN_P = 0.01  # effects with a larger p are of no use to a table of loci


def write_equal_people(
    phenotypes: Mapping[str, PathLike],
    covariates: Mapping[str, PathLike],
    pattern: str,
    chrom: str,
    output_people: PathLike,
    output_counts: PathLike,
) -> None:
    """Write the people whom every model tests (iid), and how many they are: `model people equal_people same`.

    Tested are people with a feature, every covariate and genotypes (of `chrom`), as in the GWAS. same is 1 where the
    model tests just these: its own GWAS then stands. It is 0 where there are fewer than 50: nothing is tested again.
    """
    genotyped = pd.Index(open_genotypes(pattern, chrom).people["iid"])
    people = {model: _tested(phenotypes[model], covariates[model]).intersection(genotyped) for model in phenotypes}
    common = genotyped
    for mine in people.values():
        common = common.intersection(mine, sort=False)
    enough = len(common) >= LEAST
    rows = [
        {
            "model": model,
            "people": len(mine),
            "equal_people": len(common),
            "same": int(enough and len(mine) == len(common)),
        }
        for model, mine in people.items()
    ]
    private_folder(Path(output_people).parent)
    write_parquet(pd.DataFrame({"iid": common.to_numpy(str)}), output_people)
    write_tsv(pd.DataFrame(rows), output_counts)
    log.info("%d people are tested by all of %d models", len(common), len(people))
    if not enough:
        log.warning("that is fewer than %d: loci at equal people are left out", LEAST)


def read_counts(path: PathLike) -> pd.DataFrame:
    """The counts of `write_equal_people`, by model, with `again`: whether the model's GWAS runs again for them."""
    table = read_table(path, ["model", "people", "equal_people", "same"], "the counts at equal people")
    table = table.astype({"model": str}).set_index("model")
    return table.assign(again=(table["same"] == 0) & (table["equal_people"] >= LEAST))


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

    `settings` are those of the GWAS with the test of the loci: only that test over features is made, and effects with p
    above 0.01 are left empty. `study` goes to `gwas.write_gwas`.
    """
    if not read_counts(counts).loc[model, "again"]:
        _write_nothing(output, output_summary)
        log.info(
            "%s is not tested again: %s", model, "it tests just these people" if _same(counts, model) else "too few"
        )
        return
    test = settings["test"]
    used = {
        "tests": [test] if test in OMNIBUS else list(settings["tests"]),
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
        write_gwas(
            phenotypes=part, settings={**settings, **used}, output=output, output_summary=output_summary, **study
        )


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


def _tested(phenotypes: PathLike, covariates: PathLike) -> pd.Index:
    features, design = (pd.read_parquet(path).set_index("iid") for path in (phenotypes, covariates))
    features, design = features.mask(np.isinf(features)), design.mask(np.isinf(design))
    some = features.index[features.notna().any(axis=1)]
    return some.intersection(design.index[design.notna().all(axis=1)], sort=False).astype(str)


def _same(counts: PathLike, model: str) -> bool:
    return bool(read_counts(counts).loc[model, "same"])


def _write_nothing(output: PathLike, output_summary: PathLike) -> None:
    write_parquet(pd.DataFrame({"chrom": pd.Series(dtype=str)}), output)
    write_parquet(pd.DataFrame({"test": pd.Series(dtype=str)}), output_summary)
    with replacing_folder(features_folder(output)):
        pass
