"""The features of a second cohort in the coordinates of the discovery's network 0, averaged over its networks."""

import json
import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.align.rotation import correlations
from contigwas.align.transforms import read_alignment
from contigwas.pretrain.roles import NEW, TRAIN, VALIDATION
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)


def average(embeddings: Sequence[PathLike], alignment: PathLike, output: PathLike, output_report: PathLike) -> None:
    """Write one row a sample: each network's features (one file of `embeddings` a fold, in their order) standardised
    with the mean and sd of its own training samples, rotated onto network 0 as in `alignment`, and averaged.

    obs: fold (0 for all), role, tested. Whose IID a network was trained or validated on is not tested, and counted;
    the others are. uns: mean0, sd0 of network 0. The report has, of each network, the mean correlation of its features
    with the average. Raises UserError when the files are not of one cohort and model, and when nobody is left to test.
    """
    fitted = read_alignment(alignment)
    if len(fitted.mean) != len(embeddings):
        raise UserError(
            f"{alignment} holds {len(fitted.mean)} networks, but {len(embeddings)} have embedded the cohort: supply all "
            "fold folders of the model, with the alignment of the same run"
        )
    first = read_modality(embeddings[0])
    parts, roles = [], []
    for fold, path in enumerate(embeddings):
        data = first if fold == 0 else read_modality(path)
        if list(data.var_names) != fitted.features:
            raise UserError(
                f"{path} has {data.n_vars} features, but {alignment} is of {len(fitted.features)}: the checkpoints and "
                "the alignment are not of one model"
            )
        if list(data.obs_names) != list(first.obs_names):
            raise UserError(f"{path} and {embeddings[0]} hold different samples: run apply again")
        parts.append(fitted(data.X, fold))
        roles.append(data.obs["role"].astype(str).to_numpy())
    values = np.mean(parts, axis=0)
    obs = pd.DataFrame({"fold": 0, **_tested(np.stack(roles))}, index=first.obs_names)
    data = ad.AnnData(
        X=values.astype(np.float32),
        obs=obs,
        var=pd.DataFrame(index=first.var_names),
        uns={"mean0": fitted.mean[0], "sd0": fitted.sd[0]},
    )
    agreement = [float(np.nanmean(correlations(part, values))) for part in parts]
    log.info(
        "%d samples embedded by %d networks, %d of them are tested; mean correlation of the networks with their average "
        "%s",
        len(obs),
        len(parts),
        int(obs["tested"].sum()),
        ", ".join(f"{one:.3f}" for one in agreement),
    )
    report = {
        "folds": [{"fold": fold, "mean_correlation_with_average": one} for fold, one in enumerate(agreement)],
        "n_samples": len(obs),
        "in_training": int((~obs["tested"]).sum()),
        "tested": int(obs["tested"].sum()),
    }
    with replacing(output) as temporary:
        data.write_h5ad(temporary)
    with replacing(output_report) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


def _tested(roles: np.ndarray) -> dict[str, np.ndarray]:
    """Each sample's role over all networks (networks, samples), the closest to training, and whether they are tested."""
    role = np.where((roles == NEW).all(axis=0), NEW, roles[0])
    for closer in (VALIDATION, TRAIN):
        role = np.where((roles == closer).any(axis=0), closer, role)
    tested = ~np.isin(role, [TRAIN, VALIDATION])
    if not tested.all():
        log.warning(
            "%d of %d samples have the IID of somebody whom the model was trained or validated on: they are not tested "
            "(if they are other samples, give them IIDs of their own)",
            int((~tested).sum()),
            len(tested),
        )
    if not tested.any():
        raise UserError(
            f"all {len(tested)} samples have IIDs of samples that the model was trained or validated on: nobody can be "
            "tested: apply it to samples that it has not seen, or give other samples IIDs of their own"
        )
    return {"role": role.astype(object), "tested": tested}
