"""Loci of every model at common samples: those whom all models test."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
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
LEAST = 50  # samples that all models test: with fewer a count of loci says nothing
PER_COVARIATE = 2  # samples for each covariate, that many are needed too
SHOWN_P = 0.01  # effects with a larger p are of no use to a table of loci


def write_common_samples(
    phenotypes: Mapping[str, PathLike],
    covariates: Mapping[str, PathLike],
    genotype_files: GenotypeFiles,
    chrom: str,
    output_samples: PathLike,
    output_counts: PathLike,
) -> None:
    """Write the samples that every model tests (iid), and how many they are: `model samples common_samples same again`.

    Tested are samples with a feature, every covariate and genotypes (of `chrom`), as in the GWAS. same is 1 where the
    model tests just these: its own GWAS then stands; again is 1 where it runs again for them. Both are 0 where there
    are fewer than 50, or than two for each covariate of any model.
    """
    genotyped = pd.Index(open_genotypes(genotype_files, chrom).samples["iid"])
    designs = {model: pd.read_parquet(path).set_index("iid") for model, path in covariates.items()}
    samples = {model: _tested(phenotypes[model], designs[model]).intersection(genotyped) for model in phenotypes}
    common = genotyped
    for mine in samples.values():
        common = common.intersection(mine, sort=False)
    needed = max(LEAST, *(PER_COVARIATE * design.shape[1] for design in designs.values()))
    counts = pd.DataFrame({"model": [*samples], "n_samples": [len(mine) for mine in samples.values()]})
    counts["n_common_samples"] = len(common)
    enough, same = len(common) >= needed, counts["n_samples"] == len(common)
    counts = counts.assign(same=(enough & same).astype(int), again=(enough & ~same).astype(int))
    private_folder(Path(output_samples).parent)
    write_parquet(pd.DataFrame({"iid": common.to_numpy(str)}), output_samples)
    write_tsv(counts, output_counts)
    log.info("%d samples are tested by all of %d models", len(common), len(samples))
    if not enough:
        log.warning("that is fewer than %d: loci at common samples are left out", needed)


def read_counts(path: PathLike) -> pd.DataFrame:
    """The counts of `write_common_samples`, by model; same and again are bool."""
    columns = ["model", "n_samples", "n_common_samples", "same", "again"]
    table = read_table(path, columns, "the counts at common samples").astype(
        {"model": str, "same": bool, "again": bool}
    )
    return table.set_index("model")


def write_common_samples_gwas(
    model: str,
    counts: PathLike,
    samples: PathLike,
    phenotypes: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    output_summary: PathLike,
    **study: object,
) -> None:
    """The GWAS of a chromosome again among `samples`; files without a row where it need not, or cannot, be done.

    It cannot where these samples are too few, or where none of the features varies among them. `settings` are those of
    the GWAS with the test of the loci: of the tests over features only that is made (none where loci are those of a
    feature), and effects with p above 0.01 are left empty. `study` goes to `gwas.write_gwas`.
    """
    count = read_counts(counts).loc[model]
    if not count["again"]:
        _write_nothing(output, output_summary)
        log.info("%s is not tested again: %s", model, "it tests just these samples" if count["same"] else "too few")
        return
    test = settings["test"]
    used = {
        "tests": [test] if test in OMNIBUS else [],
        "max_p": min(settings["max_p"] or 1, SHOWN_P),
    }
    chosen = pd.Index(pd.read_parquet(samples)["iid"])
    table = pd.read_parquet(phenotypes)
    # what names samples stays in the private folder, even for a moment, and what a killed job left there goes
    private, name = private_folder(Path(samples).parent), f"{model}.{Path(output).stem}"
    sweep(private, name)
    with TemporaryDirectory(prefix=".", suffix=f".tmp.{name}", dir=private) as folder:
        part = Path(folder, Path(phenotypes).name)
        write_parquet(table[table["iid"].isin(chosen)], part)
        try:
            write_gwas(
                phenotypes=part, settings={**settings, **used}, output=output, output_summary=output_summary, **study
            )
        except NothingToTestError as error:
            log.warning("%s cannot be tested at common samples: %s", model, error)
            _write_untested(table.columns.drop("iid"), {**settings, **used}, output, output_summary)


def write_common_samples_loci(model: str, counts: PathLike, own: PathLike, output: PathLike, **study: object) -> None:
    """The loci of a model at common samples: its `own` where it tests just these samples, else those of the GWAS again.

    A header only where the samples are too few. `study` goes to `loci.write_loci`.
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
    """Who has a feature and every covariate, as in `gwas.samples.tested_samples`."""
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
    with gwas_table(output, {"n_samples": 0, "features": len(features)}, **form):
        Histogram([*features, *settings["tests"]]).write(output_summary)
