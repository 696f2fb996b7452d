"""Small studies for the tests of the GWAS: arrays, files, and a least-squares regression per variant."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from contigwas.gwas.engine import Associations, Kernel
from tests.plink_files import iids, simulate, write_plink

SETTINGS = {"missing": "exact", "tests": ["minp", "manova", "acat"], "min_ac": 1, "qc": {"maf": 0.0}}


def arrays(
    seed: int, samples: int = 300, variants: int = 40, features: int = 4, covariates: int = 3, missing: float = 0.05
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dosages (samples, variants), covariates and correlated features; the first variants have effects."""
    rng = np.random.default_rng(seed)
    dosages = simulate(rng, samples, variants, missing=missing)
    design = rng.normal(size=(samples, covariates)) * [10.0**k for k in range(covariates)] + 5
    values = rng.normal(size=(samples, features)) @ (np.eye(features) + 0.5)
    values += 0.3 * np.where(dosages[:, :features] < 0, 1, dosages[:, :features]) + design[:, :1] * 0.2
    return dosages, design, values * [3.0**k for k in range(features)]


def associate(kernel: Kernel, dosages: np.ndarray) -> Associations:
    """Run a kernel on dosages (samples, variants) and return its results as arrays."""
    found = kernel(torch.from_numpy(np.ascontiguousarray(dosages.T)))
    return Associations(**{name: getattr(found, name).numpy() for name in found.__dataclass_fields__})


def least_squares(dosage: np.ndarray, design: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Regress `values` (samples, P) on one variant, complete cases: n, df, beta, se and joint_r2, float64."""
    called = dosage >= 0
    x = np.column_stack([np.ones(called.sum()), design[called], dosage[called]])
    y = values[called]
    df = x.shape[0] - x.shape[1]
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ coefficients
    null = y - x[:, :-1] @ np.linalg.lstsq(x[:, :-1], y, rcond=None)[0]
    se = np.sqrt((left**2).sum(0) / df * np.linalg.inv(x.T @ x)[-1, -1])
    scale = null.std(0)
    _, inner = np.linalg.slogdet((left / scale).T @ (left / scale))
    _, outer = np.linalg.slogdet((null / scale).T @ (null / scale))
    wilks = np.exp(inner - outer)
    return {"n": called.sum(), "df": df, "beta": coefficients[-1], "se": se, "joint_r2": 1 - wilks}


def write_study(
    folder: Path,
    dosages: np.ndarray,
    design: np.ndarray,
    values: np.ndarray,
    seed: int = 0,
) -> dict[str, Path]:
    """Write g.bed, phenotypes.parquet and covariates.parquet, with different row orders of the two tables."""
    rng = np.random.default_rng(seed)
    names = np.array(iids(len(dosages)))
    bed = write_plink(folder / "g.bed", dosages, list(names))
    paths = {"pattern": bed, "phenotypes": folder / "phenotypes.parquet", "covariates": folder / "covariates.parquet"}
    for path, prefix, array in ((paths["phenotypes"], "E", values), (paths["covariates"], "c", design)):
        table = pd.DataFrame(array, columns=[f"{prefix}{k + 1}" for k in range(array.shape[1])])
        table.insert(0, "iid", names)
        table.iloc[rng.permutation(len(table))].to_parquet(path, index=False)
    return paths
