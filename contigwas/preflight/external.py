"""What else is user-supplied: phenotypes, embeddings, modalities, offsets, weights, lists of variants, genes, maps."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.gwas.offsets import listed_predictions, samples_of
from contigwas.loci.genes import read_genes
from contigwas.modalities.external import read_external_table
from contigwas.plots.recombination import read_map
from contigwas.preflight.context import Study
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared
from contigwas.runtime.errors import UserError
from contigwas.snps.grid import listed_variants
from contigwas.tables.phenotypes import read_features
from contigwas.tables.sample_features import index_of, strings
from contigwas.tables.sample_ids import require_unique

LARGE = 32 * 2**20  # bytes: a list of genes or a map that is larger is not read
ROWS, PARTS = 500, 8  # samples side by side, and such parts, of an .h5ad whose values are looked at


def check(study: Study) -> None:
    """Every file that is neither genotypes nor images nor of a stage with a check of its own."""
    for name, path in study.config["modalities"].items():
        key = f"modalities.{name}"
        if study.there(key, path):
            with study.findings.reported(key):
                _modality(study, key, name, Path(path))
    for model, recipe in study.config["models"].items():
        for kind, look in (("phenotypes", _phenotypes), ("embeddings", _embeddings)):
            key = f"models.{model}.{kind}"
            if isinstance(recipe.get(kind), str) and study.there(key, recipe[kind]):
                with study.findings.reported(key):
                    look(study, key, model, Path(recipe[kind]))
        _offsets(study, model)
    _references(study)


def _phenotypes(study: Study, key: str, model: str, path: Path) -> None:
    features = read_features(path)
    source = f"{model} (phenotypes)"
    study.samples[source] = features.index
    study.counts[f"features of {model}"] = features.shape[1]
    require_shared(study, source, str(path))
    none = int(features.isna().all(axis=1).sum())
    if none == len(features):
        raise UserError(f"{path}: every value is missing: write numbers, and NA where a value is not known")
    constant = [name for name in features if features[name].nunique() <= 1]
    if constant:
        study.findings.warn(
            key, f"{len(constant)} features do not vary (the first is {constant[0]}) and will not be tested: drop them"
        )
    study.findings.fact(key, f"{features.shape[1]} features of {len(features):,} samples, {none:,} of them without any")


def _embeddings(study: Study, key: str, model: str, path: Path) -> None:
    iids, shape, incomplete, looked = _h5ad(path)
    source = f"{model} (embeddings)"
    study.samples[source] = iids
    study.counts[f"features of {model}"] = shape[1]
    require_shared(study, source, str(path))
    study.findings.fact(key, f"{shape[1]} features of {shape[0]:,} samples ({looked:,} of them looked at)")
    if incomplete == looked:
        raise UserError(
            f"{path}: none of the {looked} samples looked at has a value for every feature: drop the features that lack "
            "them"
        )
    if incomplete:
        study.findings.warn(
            key,
            f"{incomplete:,} of {looked:,} samples looked at have a feature without a value, and will be left out: "
            "complete them, or drop such features",
        )


def _modality(study: Study, key: str, name: str, path: Path) -> None:
    if path.suffix == ".h5ad":
        iids, shape, incomplete, looked = _h5ad(path)
        reported = f"{shape[1]:,} features of {shape[0]:,} samples; {incomplete:,} of {looked:,} looked at miss a value"
    else:
        iids, features, values = read_external_table(path, name)
        incomplete = int(np.isnan(values).any(axis=1).sum())
        reported = f"{len(features):,} features of {len(iids):,} samples, {incomplete:,} of whom miss a value"
    study.samples[name] = pd.Index(iids)
    require_shared(study, name, str(path))
    study.findings.fact(key, reported)


def _h5ad(path: Path) -> tuple[pd.Index, tuple[int, int], int, int]:
    """IIDs, the shape of X, and of samples spread over it how many have a value that is no number, of how many."""
    try:
        with h5py.File(path) as file:
            obs = file["obs"]
            names = strings(index_of(obs))
            values = file["X"]
            sparse = isinstance(values, h5py.Group)
            shape = tuple(int(one) for one in (values.attrs["shape"] if sparse else values.shape))
            dense = values["data"] if sparse else values
            if dense.dtype.kind not in "iufb":
                raise UserError(f"{path} has no numbers in X: store the samples x features there")
            if sparse:
                incomplete, looked = int(not np.isfinite(dense[:1_000_000]).all()), shape[0]
            else:
                starts = spread(range(0, shape[0], ROWS), PARTS)
                blocks = [dense[start : start + ROWS] for start in starts]
                incomplete = sum(int((~np.isfinite(block)).any(axis=1).sum()) for block in blocks)
                looked = sum(len(block) for block in blocks)
    except (OSError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not an AnnData .h5ad file ({type(error).__name__}): write it with anndata"
        ) from None
    if pd.isna(names).any():
        raise UserError(f"{path} has {pd.isna(names).sum()} samples without a name: write an IID for each in obs")
    require_unique(names, path)
    if not shape[1]:
        raise UserError(f"{path} has no features: X must hold samples x features")
    return pd.Index(names), shape, incomplete, looked


def _offsets(study: Study, model: str) -> None:
    key, pattern = "gwas.offsets", study.config["gwas"]["offsets"]
    path = pattern and pattern.replace("{model}", model)
    if not study.there(key, path):
        return
    with study.findings.reported(key):
        files = listed_predictions(path)
        if not files:
            raise UserError(f"{path} lists no .loco file: supply the …_pred.list of REGENIE's step 1")
        there = [one for one in files.values() if one.is_file()]
        absent = [name for name, one in files.items() if not one.is_file()]
        if not there:
            raise UserError(f"{path} lists {len(absent)} .loco files, none of which exists: put them beside it")
        if absent:
            # a list may name more features than are tested
            study.findings.warn(
                key,
                f"{path} lists {len(absent)} .loco files that do not exist (the first is of {absent[0]}): put those of "
                "the features that are tested beside it",
            )
        analysed = study.analysed
        if analysed is not None and len(analysed):
            known = samples_of(there[0], list(analysed))
            study.findings.fact(
                key,
                f"{model}: {len(there)} features; the first has predictions for {known:,} samples analysed",
            )


def _references(study: Study) -> None:
    config = study.config
    variants = study.variants.get("genotypes.array")
    path = config.get("snps", {}).get("list")
    if study.there("snps.list", path) and variants is not None and variants.whole:
        with study.findings.reported("snps.list"):
            found = listed_variants(variants.table, path)
            study.findings.fact("snps.list", f"{found.sum():,} variants of the genotypes are on the list")
    genes = config["loci"]["genes"]
    if study.there("loci.genes", genes):
        with study.findings.reported("loci.genes"):
            if Path(genes).stat().st_size > LARGE:
                study.findings.fact("loci.genes", "too large to be read in seconds")
            else:
                table = read_genes(genes, config["genotypes"]["build"], config["loci"]["genes_build"])
                wanted = config_settings.chromosomes(config)
                here = table["chrom"].isin(wanted).sum()
                study.findings.fact("loci.genes", f"{len(table):,} genes, {here:,} of them on the chromosomes analysed")
    _map(study, config["plots"]["recombination"])


def _map(study: Study, pattern: str | None) -> None:
    """The map of the first and of the last chromosome."""
    if not pattern:
        return
    key = "plots.recombination"
    for chrom in spread(config_settings.chromosomes(study.config), 2):
        path = pattern.replace("{chrom}", chrom)
        if study.there(key, path) and Path(path).stat().st_size <= LARGE:
            with study.findings.reported(key):
                study.findings.fact(key, f"chromosome {chrom}: {len(read_map(pattern, chrom)):,} places")
