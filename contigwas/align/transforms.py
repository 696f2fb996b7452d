"""The fitted standardisation and rotation of each network, saved to embed another cohort in the same way."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require


@dataclass(frozen=True)
class Alignment:
    """The alignment of the networks of a model; it holds no data of single samples.

    Attributes:
        features: names of the features of the networks.
        mean, sd: of each network's features among its training samples, float64 (networks, features).
        rotation: of each network onto network 0 (identity for network 0), float64 (networks, features, features).
        embed: settings of `embed` that produced the features; empty if unknown.
    """

    features: list[str]
    mean: np.ndarray
    sd: np.ndarray
    rotation: np.ndarray
    embed: Mapping[str, object]

    def __call__(self, values: np.ndarray, network: int) -> np.ndarray:
        """Return `values` (samples, features) of one network in the coordinates of network 0, float64."""
        values = np.asarray(values, dtype=np.float64)
        return (values - self.mean[network]) / self.sd[network] @ self.rotation[network]


def write_alignment(
    features: Sequence[str],
    mean: Sequence[np.ndarray],
    sd: Sequence[np.ndarray],
    rotation: Sequence[np.ndarray],
    embed: Mapping[str, object],
    path: PathLike,
) -> None:
    """Write alignment.npz with the attributes of `Alignment`: one entry per network in `mean`, `sd`, `rotation`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            features=np.array([*features], dtype=str),
            mean=np.stack(mean),
            sd=np.stack(sd),
            rotation=np.stack(rotation),
            embed=np.array(json.dumps(dict(embed), sort_keys=True)),
        )


def read_alignment(path: PathLike) -> Alignment:
    """Read alignment.npz. Raises UserError for any other file."""
    path = require(path, "the alignment of the model")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ("mean", "sd", "rotation")]
            return Alignment(file["features"].tolist(), *arrays, embed=json.loads(str(file["embed"])))
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        raise UserError(f"{path} is not an alignment of contigwas: run align again in the study of the model") from None
