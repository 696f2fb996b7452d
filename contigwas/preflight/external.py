"""Check user-supplied phenotypes, embeddings, modalities, REGENIE offsets, and lists of variants, genes and maps."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.gwas.offsets import count_predicted_samples, listed_predictions
from contigwas.loci.genes import read_genes
from contigwas.modalities.external import read_external_table
from contigwas.plots.recombination import read_map
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared
from contigwas.runtime.errors import UserError
from contigwas.snps.grid import listed_variants
from contigwas.tables.phenotypes import read_features
from contigwas.tables.sample_features import index_of, strings
from contigwas.tables.sample_ids import require_unique

MAX_BYTES = 32 * 2**20  # a larger list of genes or map is not read
ROWS, BLOCKS = 500, 8  # samples per block, and blocks, of an .h5ad file whose values are checked


def check(context: PreflightContext) -> None:
    """Check every file that no other check covers."""
    for name, path in context.config["modalities"].items():
        key = f"modalities.{name}"
        if context.has_file(key, path):
            with context.findings.report_errors(key):
                _check_modality(context, key, name, Path(path))
    for model, recipe in context.config["models"].items():
        for kind, check_file in (("phenotypes", _check_phenotypes), ("embeddings", _check_embeddings)):
            key = f"models.{model}.{kind}"
            if isinstance(recipe.get(kind), str) and context.has_file(key, recipe[kind]):
                with context.findings.report_errors(key):
                    check_file(context, key, model, Path(recipe[kind]))
        _check_offsets(context, model)
    _check_references(context)


def _check_phenotypes(context: PreflightContext, key: str, model: str, path: Path) -> None:
    features = read_features(path)
    source = f"{model} (phenotypes)"
    context.samples[source] = features.index
    context.counts[f"features of {model}"] = features.shape[1]
    require_shared(context, source, str(path))
    empty = int(features.isna().all(axis=1).sum())
    if empty == len(features):
        raise UserError(f"{path}: every value is missing. Write numbers, and NA for missing values")
    constant = [name for name in features if features[name].nunique() <= 1]
    if constant:
        context.findings.warn(
            key,
            f"{len(constant)} features are constant (the first is {constant[0]}) and will not be tested: remove them",
        )
    context.findings.fact(
        key, f"{features.shape[1]} features of {len(features):,} samples, {empty:,} of them without a value"
    )


def _check_embeddings(context: PreflightContext, key: str, model: str, path: Path) -> None:
    iids, shape, incomplete, checked = _read_h5ad(path)
    source = f"{model} (embeddings)"
    context.samples[source] = iids
    context.counts[f"features of {model}"] = shape[1]
    require_shared(context, source, str(path))
    context.findings.fact(key, f"{shape[1]} features of {shape[0]:,} samples ({checked:,} of them checked)")
    if incomplete == checked:
        raise UserError(
            f"{path}: none of the {checked} checked samples has a value for every feature. Remove the features with "
            "missing values"
        )
    if incomplete:
        context.findings.warn(
            key,
            f"{incomplete:,} of {checked:,} checked samples have a missing value and will be left out: complete them, "
            "or remove the features with missing values",
        )


def _check_modality(context: PreflightContext, key: str, name: str, path: Path) -> None:
    if path.suffix == ".h5ad":
        iids, shape, incomplete, checked = _read_h5ad(path)
        text = (
            f"{shape[1]:,} features of {shape[0]:,} samples; {incomplete:,} of {checked:,} checked samples have a "
            "missing value"
        )
    else:
        iids, features, values = read_external_table(path, name)
        incomplete = int(np.isnan(values).any(axis=1).sum())
        text = f"{len(features):,} features of {len(iids):,} samples, {incomplete:,} of them with a missing value"
    context.samples[name] = pd.Index(iids)
    require_shared(context, name, str(path))
    context.findings.fact(key, text)


def _read_h5ad(path: Path) -> tuple[pd.Index, tuple[int, int], int, int]:
    """IIDs, the shape of X, the number of checked samples with a missing value, and the number of checked samples.

    The checked samples are blocks spread evenly over X. Raises UserError if the file is no AnnData file with numbers.
    """
    try:
        with h5py.File(path) as file:
            obs = file["obs"]
            names = strings(index_of(obs))
            values = file["X"]
            sparse = isinstance(values, h5py.Group)
            shape = tuple(int(one) for one in (values.attrs["shape"] if sparse else values.shape))
            dense = values["data"] if sparse else values
            if dense.dtype.kind not in "iufb":
                raise UserError(f"{path}: X has no numbers. Store samples x features in X")
            if sparse:
                incomplete, checked = int(not np.isfinite(dense[:1_000_000]).all()), shape[0]
            else:
                starts = spread(range(0, shape[0], ROWS), BLOCKS)
                blocks = [dense[start : start + ROWS] for start in starts]
                incomplete = sum(int((~np.isfinite(block)).any(axis=1).sum()) for block in blocks)
                checked = sum(len(block) for block in blocks)
    except (OSError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not an AnnData .h5ad file ({type(error).__name__}). Write it with anndata") from None
    if pd.isna(names).any():
        raise UserError(f"{path}: {pd.isna(names).sum()} samples have no name. Write an IID for each in obs")
    require_unique(names, path)
    if not shape[1]:
        raise UserError(f"{path}: no features. X must contain samples x features")
    return pd.Index(names), shape, incomplete, checked


def _check_offsets(context: PreflightContext, model: str) -> None:
    key, pattern = "gwas.offsets", context.config["gwas"]["offsets"]
    path = pattern and pattern.replace("{model}", model)
    if not context.has_file(key, path):
        return
    with context.findings.report_errors(key):
        files = listed_predictions(path)
        if not files:
            raise UserError(f"{path}: no .loco file is listed. Supply the …_pred.list file of REGENIE step 1")
        existing = [one for one in files.values() if one.is_file()]
        missing = [name for name, one in files.items() if not one.is_file()]
        if not existing:
            raise UserError(
                f"{path}: none of the {len(missing)} listed .loco files exists. Put them into the folder of this file"
            )
        if missing:
            # a list may name more features than are tested
            context.findings.warn(
                key,
                f"{path}: {len(missing)} listed .loco files do not exist (the first is of {missing[0]}). Put those of "
                "the tested features into the folder of this file",
            )
        analysed = context.analysed
        if analysed is not None and len(analysed):
            predicted = count_predicted_samples(existing[0], list(analysed))
            context.findings.fact(
                key,
                f"{model}: {len(existing)} features; the first has predictions for {predicted:,} analysed samples",
            )


def _check_references(context: PreflightContext) -> None:
    config = context.config
    variants = context.variants.get("genotypes.array")
    path = config.get("snps", {}).get("list")
    if context.has_file("snps.list", path) and variants is not None and variants.complete:
        with context.findings.report_errors("snps.list"):
            found = listed_variants(variants.table, path)
            context.findings.fact("snps.list", f"{found.sum():,} variants of the genotypes are in the list")
    genes = config["loci"]["genes"]
    if context.has_file("loci.genes", genes):
        with context.findings.report_errors("loci.genes"):
            if Path(genes).stat().st_size > MAX_BYTES:
                context.findings.fact("loci.genes", "not read: the file is too large")
            else:
                table = read_genes(genes, config["genotypes"]["build"], config["loci"]["genes_build"])
                wanted = config_settings.chromosomes(config)
                analysed = table["chrom"].isin(wanted).sum()
                context.findings.fact(
                    "loci.genes", f"{len(table):,} genes, {analysed:,} of them on the analysed chromosomes"
                )
    _check_map(context, config["plots"]["recombination"])


def _check_map(context: PreflightContext, pattern: str | None) -> None:
    """Check the map of the first and of the last chromosome."""
    if not pattern:
        return
    key = "plots.recombination"
    for chrom in spread(config_settings.chromosomes(context.config), 2):
        path = pattern.replace("{chrom}", chrom)
        if context.has_file(key, path) and Path(path).stat().st_size <= MAX_BYTES:
            with context.findings.report_errors(key):
                context.findings.fact(key, f"chromosome {chrom}: {len(read_map(pattern, chrom)):,} positions")
