"""Embed a second cohort with one network of a frozen model, after checking that the model's files match."""

from collections.abc import Mapping

import numpy as np

from contigwas.align.transforms import Alignment, read_alignment
from contigwas.embed import embed
from contigwas.phenotypes.pca import read_pca
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

FIXED = ("checkpoint", "layer")  # settings of embed that must equal those of the alignment


def embed_fold(
    checkpoint: PathLike,
    alignment: PathLike,
    pca: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Embed a second cohort with the network of `checkpoint`, as `contigwas.embed.embed` with `other_cohort` does.

    `alignment` and `pca` are files of the same model. They are read first, so that incomplete models are refused before
    the long computation. Raises UserError when the files do not match, when the model has no components, when
    `settings` differ from those of the alignment, and as `embed` does.
    """
    fitted = read_frozen(alignment, pca)
    differ = [name for name in FIXED if name in fitted.embed and fitted.embed[name] != settings[name]]
    if differ:
        required = ", ".join(f"{name}: {fitted.embed[name]}" for name in differ)
        raise UserError(
            f"config: embed has {', '.join(f'{name}: {settings[name]}' for name in differ)}, but {alignment} was "
            f"fitted to features of {required}: write embed: {{{required}}} in the model"
        )
    embed(checkpoint, images_npy, images_table, cohort, settings, output, other_cohort=True)


def read_frozen(alignment: PathLike, pca: PathLike) -> Alignment:
    """Return the alignment of a model. Raises UserError when `pca` is not of the same model, or has no components."""
    fitted = read_alignment(alignment)
    _, names, mean, sd = read_pca(pca)
    if list(names) != fitted.features or not (np.allclose(mean, fitted.mean[0]) and np.allclose(sd, fitted.sd[0])):
        raise UserError(
            f"{alignment} and {pca} are not of the same model: supply both from the same run, or run phenotypes again "
            "in the study of the model"
        )
    return fitted
