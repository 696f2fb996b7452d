"""Loci of every model among the common samples, which are the samples that all models test."""

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
MIN_SAMPLES = 50  # common samples: with fewer, a count of loci is uninformative
MIN_PER_COVARIATE = 2  # common samples per covariate
MAX_P = 0.01  # effects with a larger p are not needed for loci


def write_common_samples(
    phenotypes: Mapping[str, PathLike],
    covariates: Mapping[str, PathLike],
    genotype_files: GenotypeFiles,
    chrom: str,
    output_samples: PathLike,
    output_counts: PathLike,
) -> None:
    """Write the samples that every model tests (iid), and `model n_samples n_common_samples identical rerun`.

    As in the GWAS, tested samples have a feature, every covariate and genotypes (of `chrom`). identical is 1 if the
    model tests exactly the common samples, so that its own GWAS is used. rerun is 1 if its GWAS has to be repeated for
    them. Both are 0 with fewer than 50 common samples, or fewer than two per covariate of any model.
    """
    genotyped = pd.Index(open_genotypes(genotype_files, chrom).samples["iid"])
    designs = {model: pd.read_parquet(path).set_index("iid") for model, path in covariates.items()}
    samples = {
        model: _tested_samples(phenotypes[model], designs[model]).intersection(genotyped) for model in phenotypes
    }
    common = genotyped
    for iids in samples.values():
        common = common.intersection(iids, sort=False)
    needed = max(MIN_SAMPLES, *(MIN_PER_COVARIATE * design.shape[1] for design in designs.values()))
    counts = pd.DataFrame({"model": [*samples], "n_samples": [len(iids) for iids in samples.values()]})
    counts["n_common_samples"] = len(common)
    enough, identical = len(common) >= needed, counts["n_samples"] == len(common)
    counts = counts.assign(identical=(enough & identical).astype(int), rerun=(enough & ~identical).astype(int))
    private_folder(Path(output_samples).parent)
    write_parquet(pd.DataFrame({"iid": common.to_numpy(str)}), output_samples)
    write_tsv(counts, output_counts)
    log.info("all %d models test %d common samples", len(samples), len(common))
    if not enough:
        log.warning("loci among common samples are left out: %d common samples are fewer than %d", len(common), needed)


def read_counts(path: PathLike) -> pd.DataFrame:
    """Return the counts of `write_common_samples` by model, with identical and rerun as bool."""
    columns = ["model", "n_samples", "n_common_samples", "identical", "rerun"]
    table = read_table(path, columns, "the counts of common samples").astype(
        {"model": str, "identical": bool, "rerun": bool}
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
    **inputs: object,
) -> None:
    """Repeat the GWAS of a chromosome among the common `samples`.

    The files have no rows if the model's own GWAS is used, if there are too few common samples, or if no feature varies
    among them. `settings` are those of the GWAS with the test of the loci. Of the tests over features only this one is
    computed (none if the test is a feature), and effects with p above 0.01 are left empty. `inputs` are further
    arguments of `write_gwas`.
    """
    count = read_counts(counts).loc[model]
    if not count["rerun"]:
        _write_empty(output, output_summary)
        reason = "it tests exactly the common samples" if count["identical"] else "too few common samples"
        log.info("the GWAS of %s is not repeated: %s", model, reason)
        return
    test = settings["test"]
    used = {
        "tests": [test] if test in OMNIBUS else [],
        "max_p": min(settings["max_p"] or 1, MAX_P),
    }
    chosen = pd.Index(pd.read_parquet(samples)["iid"])
    table = pd.read_parquet(phenotypes)
    # a temporary file with IIDs has to be in the private folder; remnants of killed jobs are removed
    private, name = private_folder(Path(samples).parent), f"{model}.{Path(output).stem}"
    sweep(private, name)
    with TemporaryDirectory(prefix=".", suffix=f".tmp.{name}", dir=private) as folder:
        part = Path(folder, Path(phenotypes).name)
        write_parquet(table[table["iid"].isin(chosen)], part)
        try:
            write_gwas(
                phenotypes=part, settings={**settings, **used}, output=output, output_summary=output_summary, **inputs
            )
        except NothingToTestError as error:
            log.warning("%s cannot be tested among the common samples: %s", model, error)
            _write_untested(table.columns.drop("iid"), {**settings, **used}, output, output_summary)


def write_common_samples_loci(model: str, counts: PathLike, own: PathLike, output: PathLike, **inputs: object) -> None:
    """Write the loci of a model among the common samples: its `own` loci, or those of the repeated GWAS.

    The table has no rows if there are too few common samples. `inputs` are further arguments of `write_loci`.
    """
    count = read_counts(counts).loc[model]
    if count["rerun"]:
        write_loci(output=output, **inputs)
    elif count["identical"]:
        with replacing(output) as temporary:
            shutil.copyfile(own, temporary)
    else:
        write_tsv(pd.DataFrame(columns=COLUMNS), output)


def has_p(summaries: Sequence[PathLike], test: str) -> bool:
    """Return whether a GWAS has any p-value of `test`, from the summaries of its chromosomes."""
    counts = read_summary(summaries)
    return bool(counts.loc[counts["test"] == test, "count"].sum() > 0)


def _tested_samples(phenotypes: PathLike, design: pd.DataFrame) -> pd.Index:
    """Return IIDs of samples with a feature and every covariate, as in `gwas.samples.tested_samples`."""
    features = pd.read_parquet(phenotypes).set_index("iid")
    features, design = features.mask(np.isinf(features)), design.mask(np.isinf(design))
    with_feature = features.index[features.notna().any(axis=1)]
    return with_feature.intersection(design.index[design.notna().all(axis=1)], sort=False).astype(str)


def _write_empty(output: PathLike, output_summary: PathLike) -> None:
    write_parquet(pd.DataFrame({"chrom": pd.Series(dtype=str)}), output)
    write_parquet(pd.DataFrame({"test": pd.Series(dtype=str)}), output_summary)
    with replacing_folder(features_folder(output)):
        pass


def _write_untested(
    features: Sequence[str], settings: Mapping[str, object], output: PathLike, output_summary: PathLike
) -> None:
    """Write the files of a GWAS of `features` without any tested variant."""
    form = {"features": features, "partial": [], "tests": settings["tests"], "columns": settings["columns"]}
    with gwas_table(output, {"n_samples": 0, "features": len(features)}, **form):
        Histogram([*features, *settings["tests"]]).write(output_summary)
