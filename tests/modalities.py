"""What the tests of snps, pgs and burden need beside genotypes: quality control, a cohort, scoring files."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.genotypes.qc import variant_qc
from contigwas.runtime.atomic_files import write_tsv
from tests.plink_files import write_samples

EVERYTHING = {"call_rate": 0.0, "maf": 0.0, "hwe": 0.0, "hwe_midp": False, "info": 0.0}


def quality(bed: Path, folder: Path, names: Sequence[str], chromosomes: Sequence[str], settings: dict) -> dict:
    """The variants' tables of our own quality control, by chromosome."""
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
    """A cohort.tsv of `names` in their order; those in `excluded` are out."""
    path = folder / "cohort.tsv"
    reasons = ["call rate" if name in set(excluded) else "" for name in names]
    table = pd.DataFrame({"fid": names, "iid": names, "sex": 0, "family": "f", "fold": 0, "gwas_included": 1})
    write_tsv(table.assign(exclusion=reasons, gwas_exclusion=""), path)
    return path


def write_score(path: Path, rows: pd.DataFrame, **header: object) -> Path:
    """A scoring file of the PGS Catalog's form; gzipped where its name says so."""
    lines = ["###PGS CATALOG SCORING FILE", "#format_version=2.0", *(f"#{key}={one}" for key, one in header.items())]
    text = "\n".join(lines) + "\n" + rows.to_csv(sep="\t", index=False, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def burden_settings(**changed: object) -> dict:
    """The settings of the burden with the schema's defaults."""
    vep = {"gene": "SYMBOL", "score": None, "min_score": 0.5, "loftee": False, **changed.pop("vep", {})}
    defaults = {"statistic": "max", "max_aaf": 0.001, "aaf": None, "max_missing": 1, "singletons": False}
    return {**defaults, "vep": vep, **changed}
