"""Inputs of the tests of snps, pgs and burden in addition to genotypes: quality control, a cohort, scoring files."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.genotypes.qc import variant_qc
from contigwas.runtime.atomic_files import write_tsv
from tests.plink_files import write_samples

EVERYTHING = {"call_rate": 0.0, "maf": 0.0, "hwe": 0.0, "hwe_midp": False, "info": 0.0}


def quality(bed: Path, folder: Path, names: Sequence[str], chromosomes: Sequence[str], settings: dict) -> dict:
    """Return the variant tables of the quality control of contigwas, by chromosome."""
    write_samples(folder, list(names))
    tables = {}
    for chrom in chromosomes:
        tables[chrom] = folder / f"variants_{chrom}.parquet"
        variant_qc(
            bed,
            chrom,
            folder / "candidates.tsv",
            settings,
            "GRCh37",
            tables[chrom],
            folder / f"missing_{chrom}.parquet",
        )
    return tables


def write_cohort(folder: Path, names: Sequence[str], excluded: Sequence[str] = ()) -> Path:
    """Write a cohort.tsv of `names` in this order; samples in `excluded` are excluded."""
    path = folder / "cohort.tsv"
    reasons = ["call rate" if name in set(excluded) else "" for name in names]
    table = pd.DataFrame({"fid": names, "iid": names, "sex": 0, "family": "f", "fold": 0, "gwas_included": 1})
    write_tsv(table.assign(exclusion=reasons, gwas_exclusion=""), path)
    return path


def write_score(path: Path, rows: pd.DataFrame, **header: object) -> Path:
    """Write a scoring file in the format of the PGS Catalog, gzipped if its name ends in .gz."""
    lines = ["###PGS CATALOG SCORING FILE", "#format_version=2.0", *(f"#{key}={one}" for key, one in header.items())]
    text = "\n".join(lines) + "\n" + rows.to_csv(sep="\t", index=False, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def burden_settings(**changed: object) -> dict:
    """Return the settings of the burden with the defaults of the schema."""
    vep = {"gene": "SYMBOL", "score": None, "min_score": 0.5, "loftee": False, **changed.pop("vep", {})}
    defaults = {"statistic": "max", "max_aaf": 0.001, "aaf": None, "max_missing": 1, "singletons": False}
    return {**defaults, "vep": vep, **changed}
