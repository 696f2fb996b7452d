"""Some variants of the genotypes as a matrix of samples and variants: every k-th, a list of them, or the pruned ones."""

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
    """Write the SNP modality: int8 (samples, SNPs) dosages of the effect allele, -127 where not called.

    `variants` maps each chromosome to its table of quality control, `pruned` to what LD pruning left. With
    `settings["list"]`, the variants are those whose IDs the file lists, with `settings["pruned"]` the pruned ones; else
    every `stride`-th row of each file from row `offset` on, by its place in the file, so that a change of the
    thresholds moves no SNP into it. Then those that were kept. The samples are those of the cohort who are not excluded,
    in the cohort's order. Nothing is imputed or scaled. `.var`: chrom, pos, alleles, and among these samples the effect
    allele's frequency `eaf` and the number of `missing` calls. Only what is kept is read, 256 variants at a time.
    Raises UserError when no SNP is left, or a sample of the cohort is not in the genotypes.
    """
    samples = read_cohort(cohort)
    iids = included(samples)["iid"].to_numpy(dtype=str)
    tables = [require(path, "the variants' quality control") for path in variants.values()]
    everything = pd.concat([pd.read_parquet(path, columns=COLUMNS) for path in tables], ignore_index=True)
    chosen, how = _chosen(everything, settings, pruned)
    grid = everything[chosen & everything["kept"]].reset_index(drop=True)
    log.info("%d of %d variants are %s, %d of them kept by quality control; %d samples", chosen.sum(), len(everything),
             how, len(grid), len(iids))  # fmt: skip
    if not len(grid):
        raise UserError(
            f"none of the {chosen.sum()} variants that are {how} is left after quality control (chromosomes "
            f"{', '.join(variants)}): change snps, or relax genotypes.qc"
        )
    provenance = {
        "stage": "snps", "genotypes": describe_files(genotype_files), **settings, "chromosomes": len(tables),
        "how": how,
        "variants_chosen": int(chosen.sum()), "variants": len(grid), "samples_in_cohort": len(samples),
        "n_samples": len(iids),
    }  # fmt: skip
    features = grid[["chrom", "pos", "effect_allele", "other_allele"]].set_axis(_names(grid), axis=0)
    write_blocks(output, _blocks(genotype_files, grid, iids, features), np.int8, pd.Index(iids), features, provenance)


def _chosen(
    everything: pd.DataFrame, settings: Mapping[str, object], pruned: Mapping[str, PathLike] | None
) -> tuple[np.ndarray, str]:
    """Which variants are wanted, kept or not (bool), and which ones these are, in words."""
    if settings["list"] is not None:
        return listed_variants(everything, settings["list"]), "on the list"
    if settings["pruned"]:
        tables = [require(path, "the pruned variants") for path in pruned.values()]
        left = pd.concat([pd.read_parquet(path, columns=["chrom", "index"]) for path in tables])
        left = pd.MultiIndex.from_frame(left)
        return pd.MultiIndex.from_frame(everything[["chrom", "index"]]).isin(left), "left by LD pruning"
    stride, offset = int(settings["stride"]), int(settings["offset"])
    where = f"on the grid of every {stride}-th" + (f" from row {offset}" if offset else "")
    return (everything["index"] % stride == offset).to_numpy(), where


def listed_variants(everything: pd.DataFrame, path: PathLike) -> np.ndarray:
    """Which variants have an ID that a file lists, one a line."""
    path = require(Path(path), "snps.list")
    with unpacked(path) as handle:
        lines = [line.split() for line in handle.read().decode("utf-8-sig", errors="replace").splitlines()]
    long = next((number for number, words in enumerate(lines, 1) if len(words) > 1), None)
    if long is not None:
        raise UserError(f"{path}, line {long} has {len(lines[long - 1])} columns: write one variant's ID a line")
    wanted = pd.Index([words[0] for words in lines if words]).unique()
    found = everything["id"].isin(wanted).to_numpy()
    known = everything.loc[found, "id"].nunique()
    if not known:
        raise UserError(
            f"{path} lists {len(wanted)} IDs, none of which the genotypes have (theirs look like "
            f"{everything['id'].iat[0]}): write them as the genotypes do"
        )
    log.info("%d of the %d IDs of snps.list are in the genotypes, %d are not", known, len(wanted), len(wanted) - known)
    return found


def _blocks(
    genotype_files: GenotypeFiles, grid: pd.DataFrame, iids: np.ndarray, features: pd.DataFrame
) -> Iterator[np.ndarray]:
    """The calls of the grid's variants, block by block; at the end `features` gets what was counted on the way."""
    alleles, called = [], []
    for chrom in grid["chrom"].unique():
        genotypes = open_genotypes(genotype_files, chrom)
        rows = grid.loc[grid["chrom"] == chrom, "index"].to_numpy()
        for _, block in genotypes.blocks(rows, sample_rows(genotypes, iids), BLOCK):
            known = block >= 0
            called.append(np.count_nonzero(known, axis=0))
            alleles.append(np.where(known, block, 0).sum(axis=0, dtype=np.int64))
            yield block
    called = np.concatenate(called)
    features["eaf"] = np.divide(np.concatenate(alleles), 2 * called, out=np.full(called.size, np.nan), where=called > 0)
    features["missing"] = len(iids) - called


def _names(grid: pd.DataFrame) -> pd.Index:
    """The variants' ids; `chrom:pos:other:effect` for those without one and for those that share one."""
    repeated = grid["id"].duplicated(keep=False) | (grid["id"] == ".")
    place = grid["chrom"] + ":" + grid["pos"].astype(str) + ":" + grid["other_allele"] + ":" + grid["effect_allele"]
    return pd.Index(grid["id"].where(~repeated, place), name=None)
