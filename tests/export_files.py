"""Random GWAS files for the tests of the export, written without contigwas, with values that a format cannot store."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

NOTES = {"n_samples": 500, "covariates": ["sex", "age", "PC1"]}


def random_table(seed: int, chrom: str, rows: int, features: list[str], partial: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the GWAS of one chromosome: SNPs with rsIDs, 500 samples, results of `features` and manova."""
    rng = np.random.default_rng(seed)
    alleles = np.array([["A", "G"], ["C", "T"], ["T", "C"], ["G", "A"]], object)[rng.integers(0, 4, rows)]
    table = pd.DataFrame(
        {
            "chrom": chrom,
            "pos": np.sort(rng.integers(1, 10**8, rows)).astype(np.int32),
            "id": [f"rs{seed}{row:04d}" for row in range(rows)],
            "effect_allele": alleles[:, 0],
            "other_allele": alleles[:, 1],
            "eaf": rng.uniform(0.01, 0.99, rows).astype(np.float32),
            "n": rng.integers(450, 501, rows).astype(np.int32),
            "flag": "",
        }
    )
    for name in features:
        table[f"beta_{name}"] = rng.normal(size=rows).astype(np.float32) / 30
        table[f"se_{name}"] = rng.uniform(0.01, 0.1, rows).astype(np.float32)
        table[f"log10p_{name}"] = rng.exponential(0.5, rows).astype(np.float32)
        if name in partial:
            table[f"n_{name}"] = rng.integers(200, 301, rows).astype(np.int32)
    table["log10p_manova"] = rng.exponential(0.5, rows).astype(np.float32)
    return table


def write_gwas_files(folder: Path, tables: Mapping[str, pd.DataFrame], row_group: int = 16) -> dict[str, Path]:
    """Write chr{chrom}.parquet for every table, in row groups of `row_group`; return paths by chromosome."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for chrom, table in tables.items():
        data = pa.Table.from_pandas(table, preserve_index=False)
        data = data.replace_schema_metadata({"contigwas": json.dumps(NOTES)})
        paths[chrom] = folder / f"chr{chrom}.parquet"
        pq.write_table(data, paths[chrom], row_group_size=row_group)
    return paths
