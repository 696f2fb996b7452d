"""Average the aligned features of a second cohort over the networks of a frozen model."""

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
    """Write one row per sample: the features of all networks in the coordinates of network 0, averaged.

    `embeddings` has one file per fold, in order. The features of each network are standardised with the mean and sd of
    its own training samples, and rotated onto network 0 as in `alignment`.

    obs: fold (0 for all), role, gwas_eligible. Samples with the IID of a training or validation sample are not
    eligible, and are counted. uns: mean0, sd0 of network 0. The report has the mean correlation of each network's
    features with the average. Raises UserError when the files are not of one cohort and model, and when no sample is
    eligible.
    """
    transforms = read_alignment(alignment)
    if len(transforms.mean) != len(embeddings):
        raise UserError(
            f"{alignment} holds {len(transforms.mean)} networks, but {len(embeddings)} have embedded the cohort: "
            "supply all fold folders of the model and the alignment of the same run"
        )
    first = read_modality(embeddings[0])
    parts, roles = [], []
    for fold, path in enumerate(embeddings):
        data = first if fold == 0 else read_modality(path)
        if list(data.var_names) != transforms.features:
            raise UserError(
                f"{path} has {data.n_vars} features, but {alignment} has {len(transforms.features)}: supply the "
                "checkpoints and the alignment of the same model"
            )
        if list(data.obs_names) != list(first.obs_names):
            raise UserError(f"{path} and {embeddings[0]} hold different samples: run apply again")
        parts.append(transforms(data.X, fold))
        roles.append(data.obs["role"].astype(str).to_numpy())
    values = np.mean(parts, axis=0)
    obs = pd.DataFrame({"fold": 0, **_eligibility(np.stack(roles))}, index=first.obs_names)
    data = ad.AnnData(
        X=values.astype(np.float32),
        obs=obs,
        var=pd.DataFrame(index=first.var_names),
        uns={"mean0": transforms.mean[0], "sd0": transforms.sd[0]},
    )
    agreement = [float(np.nanmean(correlations(part, values))) for part in parts]
    log.info(
        "averaged %d samples over %d networks; %d are eligible for the GWAS; mean correlation of each network with the "
        "average: %s",
        len(obs),
        len(parts),
        int(obs["gwas_eligible"].sum()),
        ", ".join(f"{one:.3f}" for one in agreement),
    )
    report = {
        "folds": [{"fold": fold, "mean_correlation_with_average": one} for fold, one in enumerate(agreement)],
        "n_samples": len(obs),
        "in_training": int((~obs["gwas_eligible"]).sum()),
        "tested": int(obs["gwas_eligible"].sum()),
    }
    with replacing(output) as temporary:
        data.write_h5ad(temporary)
    with replacing(output_report) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


def _eligibility(roles: np.ndarray) -> dict[str, np.ndarray]:
    """Return the role of each sample over all networks, and whether it is eligible; `roles` is (networks, samples).

    The role is that closest to training. Raises UserError when no sample is eligible.
    """
    role = np.where((roles == NEW).all(axis=0), NEW, roles[0])
    for closer in (VALIDATION, TRAIN):
        role = np.where((roles == closer).any(axis=0), closer, role)
    eligible = ~np.isin(role, [TRAIN, VALIDATION])
    if not eligible.all():
        log.warning(
            "%d of %d samples have the IID of a training or validation sample of the model: they are not tested (if "
            "they are different samples, rename them to unused IIDs)",
            int((~eligible).sum()),
            len(eligible),
        )
    if not eligible.any():
        raise UserError(
            f"all {len(eligible)} samples have the IIDs of training or validation samples of the model, so none can be "
            "tested: apply the model to other samples, or rename different samples to unused IIDs"
        )
    return {"role": role.astype(object), "gwas_eligible": eligible}
