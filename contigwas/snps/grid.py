"""Write the hard calls of selected variants as a modality: every k-th variant, a list, or the LD-pruned variants."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.genotypes.files import describe_files
from contigwas.genotypes.pruned import sample_rows
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import write_blocks
from contigwas.tables.text import require, unpacked

log = logging.getLogger(__name__)

COLUMNS = ["chrom", "pos", "id", "effect_allele", "other_allele", "kept", "index"]
BLOCK = 256  # variants read at a time


def write_snps(
    genotype_files: GenotypeFiles,
    variants: Mapping[str, PathLike],
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    pruned: Mapping[str, PathLike] | None = None,
) -> None:
    """Write the SNP modality: int8 (samples, SNPs) hard calls of the effect allele, -127 where missing.

    `variants` maps each chromosome to its table of quality control, `pruned` to its table of LD-pruned variants. With
    `settings["list"]`, the variants whose IDs are in the file are selected; with `settings["pruned"]`, the LD-pruned
    ones. Otherwise every `stride`-th row of each genotype file from row `offset` is selected, so that a change of the
    QC thresholds adds no other SNPs. Variants that failed QC are then removed. The samples are the included samples of
    the cohort, in its order. Calls are neither imputed nor scaled. `.var` has chrom, pos, alleles, and in these samples
    the effect-allele frequency `eaf` and the number of `missing` calls. 256 variants are read at a time.
    Raises UserError when no SNP is left, or a sample of the cohort is not in the genotypes.
    """
    samples = read_cohort(cohort)
    iids = included(samples)["iid"].to_numpy(dtype=str)
    tables = [require(path, "the variants' quality control") for path in variants.values()]
    all_variants = pd.concat([pd.read_parquet(path, columns=COLUMNS) for path in tables], ignore_index=True)
    chosen, description = _select_variants(all_variants, settings, pruned)
    selected = all_variants[chosen & all_variants["kept"]].reset_index(drop=True)
    log.info("%d of %d variants are %s, and %d of these pass quality control; %d samples", chosen.sum(),
             len(all_variants), description, len(selected), len(iids))  # fmt: skip
    if not len(selected):
        raise UserError(
            f"snps: none of the {chosen.sum()} variants that are {description} passes quality control (chromosomes "
            f"{', '.join(variants)}). Change snps or relax genotypes.qc."
        )
    provenance = {
        "stage": "snps", "genotypes": describe_files(genotype_files), **settings, "chromosomes": len(tables),
        "how": description,
        "variants_chosen": int(chosen.sum()), "variants": len(selected), "samples_in_cohort": len(samples),
        "n_samples": len(iids),
    }  # fmt: skip
    features = selected[["chrom", "pos", "effect_allele", "other_allele"]].set_axis(_names(selected), axis=0)
    write_blocks(
        output, _blocks(genotype_files, selected, iids, features), np.int8, pd.Index(iids), features, provenance
    )


def _select_variants(
    all_variants: pd.DataFrame, settings: Mapping[str, object], pruned: Mapping[str, PathLike] | None
) -> tuple[np.ndarray, str]:
    """Return which variants are selected before QC (bool), and a description of the selection."""
    if settings["list"] is not None:
        return listed_variants(all_variants, settings["list"]), "on the list"
    if settings["pruned"]:
        tables = [require(path, "the pruned variants") for path in pruned.values()]
        pruned_index = pd.concat([pd.read_parquet(path, columns=["chrom", "index"]) for path in tables])
        pruned_index = pd.MultiIndex.from_frame(pruned_index)
        return pd.MultiIndex.from_frame(all_variants[["chrom", "index"]]).isin(pruned_index), "left by LD pruning"
    stride, offset = int(settings["stride"]), int(settings["offset"])
    where = f"on the grid of every {stride}-th" + (f" from row {offset}" if offset else "")
    return (all_variants["index"] % stride == offset).to_numpy(), where


def listed_variants(all_variants: pd.DataFrame, path: PathLike) -> np.ndarray:
    """Return which variants have an ID that the file `path` lists, one per line: bool (variants,).

    Raises UserError when the file is missing or malformed, or none of its IDs is in the genotypes.
    """
    path = require(Path(path), "snps.list")
    with unpacked(path) as handle:
        lines = [line.split() for line in handle.read().decode("utf-8-sig", errors="replace").splitlines()]
    long_line = next((number for number, words in enumerate(lines, 1) if len(words) > 1), None)
    if long_line is not None:
        raise UserError(
            f"{path}, line {long_line} has {len(lines[long_line - 1])} columns. Write one variant ID per line."
        )
    wanted = pd.Index([words[0] for words in lines if words]).unique()
    found = all_variants["id"].isin(wanted).to_numpy()
    n_found = all_variants.loc[found, "id"].nunique()
    if not n_found:
        raise UserError(
            f"{path} lists {len(wanted)} IDs, and none of them is in the genotypes (whose IDs look like "
            f"{all_variants['id'].iat[0]}). Use the IDs of the genotypes."
        )
    log.info("%d of the %d IDs of snps.list are in the genotypes, %d are not", n_found, len(wanted),
             len(wanted) - n_found)  # fmt: skip
    return found


def _blocks(
    genotype_files: GenotypeFiles, selected: pd.DataFrame, iids: np.ndarray, features: pd.DataFrame
) -> Iterator[np.ndarray]:
    """Yield the hard calls of the selected variants in blocks, then add `eaf` and `missing` to `features`."""
    alleles, called = [], []
    for chrom in selected["chrom"].unique():
        genotypes = open_genotypes(genotype_files, chrom)
        rows = selected.loc[selected["chrom"] == chrom, "index"].to_numpy()
        for _, block in genotypes.blocks(rows, sample_rows(genotypes, iids), BLOCK):
            is_called = block >= 0
            called.append(np.count_nonzero(is_called, axis=0))
            alleles.append(np.where(is_called, block, 0).sum(axis=0, dtype=np.int64))
            yield block
    called = np.concatenate(called)
    features["eaf"] = np.divide(np.concatenate(alleles), 2 * called, out=np.full(called.size, np.nan), where=called > 0)
    features["missing"] = len(iids) - called


def _names(selected: pd.DataFrame) -> pd.Index:
    """Return the variant IDs, with `chrom:pos:other:effect` for missing and duplicated IDs."""
    repeated = selected["id"].duplicated(keep=False) | (selected["id"] == ".")
    place = (
        selected["chrom"]
        + ":"
        + selected["pos"].astype(str)
        + ":"
        + selected["other_allele"]
        + ":"
        + selected["effect_allele"]
    )
    return pd.Index(selected["id"].where(~repeated, place), name=None)
