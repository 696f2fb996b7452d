"""Standardising features on training samples, and the rotation that lays one network's features on another's."""

import numpy as np


def standardise(features: np.ndarray, role: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and scale `features` (samples, features) by the samples whose `role` is `train`: values, mean, sd, float64.

    A feature that does not vary among them has sd 1, so it becomes 0 there.
    """
    features = np.asarray(features, dtype=np.float64)
    fitted = features[np.asarray(role) == "train"]
    mean, sd = fitted.mean(axis=0), fitted.std(axis=0)
    sd = np.where(sd > 1e-6 * np.abs(mean).clip(min=1e-6), sd, 1.0)
    return (features - mean) / sd, mean, sd


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The orthogonal matrix R (features, features) that makes `source` R nearest to `target`, both (samples, features).

    R = U Vᵀ of the singular value decomposition of sourceᵀ target (Schönemann 1966).
    """
    left, _, right = np.linalg.svd(source.T @ target)
    return left @ right


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each feature of two (samples, features); NaN where one does not vary."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, (first * second).sum(axis=0) / norm, np.nan)
