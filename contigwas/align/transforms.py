"""How each network's features are standardised and rotated, kept to embed another cohort in the same way."""

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
    """The alignment of some networks, without anything about a sample.

    Attributes:
        features: the names of the networks' features.
        mean, sd: of each network's features among its training samples, float64 (networks, features).
        rotation: of each network onto network 0 (its own is the identity), float64 (networks, features, features).
        embed: the settings of `embed` that made the features; empty where they are not known.
    """

    features: list[str]
    mean: np.ndarray
    sd: np.ndarray
    rotation: np.ndarray
    embed: Mapping[str, object]

    def __call__(self, values: np.ndarray, network: int) -> np.ndarray:
        """`values` (samples, features) of one network in the coordinates of network 0, float64."""
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
    """Write alignment.npz: what `Alignment` holds, one entry a network in `mean`, `sd` and `rotation`."""
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
    """Read alignment.npz; raises UserError when it is something else."""
    path = require(path, "the alignment of the model")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ("mean", "sd", "rotation")]
            return Alignment(file["features"].tolist(), *arrays, embed=json.loads(str(file["embed"])))
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        raise UserError(f"{path} is not an alignment of contigwas: run align again where it was made") from None
