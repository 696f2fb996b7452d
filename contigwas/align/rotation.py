"""Standardisation on training samples, and the rotation of one network's features onto another's."""

import numpy as np


def standardise(features: np.ndarray, role: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and scale `features` (samples, features) by the samples with `role` `train`.

    Returns values, mean and sd, float64. A feature that is constant among the training samples gets sd 1.
    """
    features = np.asarray(features, dtype=np.float64)
    training = features[np.asarray(role) == "train"]
    mean, sd = training.mean(axis=0), training.std(axis=0)
    sd = np.where(sd > 1e-6 * np.abs(mean).clip(min=1e-6), sd, 1.0)
    return (features - mean) / sd, mean, sd


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the orthogonal R (features, features) that minimises |`source` R - `target`|, both (samples, features).

    R = U Vᵀ of the singular value decomposition of sourceᵀ target (Schönemann 1966).
    """
    left, _, right = np.linalg.svd(source.T @ target)
    return left @ right


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each feature of two (samples, features); NaN for constant features."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, (first * second).sum(axis=0) / norm, np.nan)
