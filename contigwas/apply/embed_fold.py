"""Embedding a second cohort with one network of a frozen model, after a look at whether its files fit together."""

from collections.abc import Mapping

import numpy as np

from contigwas.align.transforms import Alignment, read_alignment
from contigwas.embed import embed
from contigwas.phenotypes.pca import read_pca
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

SAME = ("checkpoint", "layer")  # settings of embed that the alignment was fitted with: others give other features


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
    """Embed a second cohort with the network of `checkpoint`, as `contigwas.embed.embed` does: role new for strangers.

    `alignment` and `pca` are the files of the same model; they are read first, so that a model that cannot be applied
    is refused before hours of work. Raises UserError when they do not belong together, when the model has no
    components, when `settings` embed otherwise than the alignment was fitted, and as `embed` does.
    """
    fitted = read_frozen(alignment, pca)
    differ = [name for name in SAME if name in fitted.embed and fitted.embed[name] != settings[name]]
    if differ:
        there = ", ".join(f"{name}: {fitted.embed[name]}" for name in differ)
        raise UserError(
            f"config: embed has {', '.join(f'{name}: {settings[name]}' for name in differ)}, but {alignment} was "
            f"fitted to features of {there}: write embed: {{{there}}} in the model"
        )
    embed(checkpoint, images_npy, images_table, cohort, settings, output, other_cohort=True)


def read_frozen(alignment: PathLike, pca: PathLike) -> Alignment:
    """The alignment of a model; raises UserError when `pca` is not of the same model, or has no components."""
    fitted = read_alignment(alignment)
    _, names, mean, sd = read_pca(pca)
    if list(names) != fitted.features or not (np.allclose(mean, fitted.mean[0]) and np.allclose(sd, fitted.sd[0])):
        raise UserError(
            f"{alignment} and {pca} are not of one model: supply both from the same run, or run phenotypes there again"
        )
    return fitted
