"""Combine the embeddings of all folds: standardise, rotate onto fold 0, select the held-out samples of each fold."""

import json
import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.align.rotation import correlations, procrustes, standardise
from contigwas.align.transforms import write_alignment
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)


def align(
    embeddings: Sequence[PathLike],
    output: PathLike,
    output_report: PathLike,
    genetics: bool,
    output_alignment: PathLike | None = None,
) -> None:
    """Write one row per sample in the coordinates of the first of `embeddings` (one file per fold, in order).

    Features are standardised on the training samples of each network. Network f is rotated onto network 0 by the
    orthogonal Procrustes solution on the samples that both trained on. Genotypes are not used.

    obs: fold, role, gwas_eligible. With several files, each sample comes from the network that held it out, and is
    eligible. With one file, all samples are written: the held-out ones are eligible if the method used `genetics`,
    otherwise all. uns: mean0, sd0 of network 0.

    The report has, by fold, the number of shared samples and the correlations of the features before and after
    rotation. `output_alignment` is a file with the fitted transforms (see `contigwas.align.transforms`), with which
    another cohort is embedded. Raises UserError when a network has no training samples, or shares fewer than two with
    network 0.
    """
    folds = [ad.read_h5ad(path) for path in embeddings]
    reference, mean, sd = _standardise(folds[0], embeddings[0])
    report = [{"fold": 0, "samples_shared": int((folds[0].obs["role"] == "train").sum()), "reference": True}]
    parts = [_rows(folds[0], reference, 0, len(folds) > 1)]
    fitted = [(mean, sd, np.eye(len(mean)))]
    for fold, data in enumerate(folds[1:], start=1):
        values, *scale = _standardise(data, embeddings[fold])
        rotation, entry = _rotation(values, data, reference, folds[0], fold)
        values = values @ rotation
        report.append(entry)
        fitted.append((*scale, rotation))
        parts.append(_rows(data, values, fold, True))
    values = np.concatenate([part for part, _ in parts])
    obs = pd.concat([part for _, part in parts])
    repeated = obs.index.duplicated()
    if repeated.any():
        log.warning("%d samples were held out by several networks: the first network is used", int(repeated.sum()))
        values, obs = values[~repeated], obs[~repeated]
    never = len(folds[0].obs_names.difference(obs.index))
    if never:
        log.warning("%d samples were held out by no network (their family has changed since) and are excluded", never)
    order = np.argsort(folds[0].obs_names.get_indexer(obs.index), kind="stable")
    values, obs = values[order], obs.iloc[order]
    if len(folds) == 1:
        obs["gwas_eligible"] = (obs["role"] == "heldout").to_numpy() if genetics else True
    log.info(
        "aligned %d samples from %d networks; %d are eligible for the GWAS",
        len(obs),
        len(folds),
        int(obs["gwas_eligible"].sum()),
    )
    _write(output, values, obs, folds[0].var_names, mean, sd)
    _write_json(output_report, {"folds": report, "n_samples": len(obs), "tested": int(obs["gwas_eligible"].sum())})
    if output_alignment is not None:
        embed = json.loads(folds[0].uns.get("provenance", "{}")).get("settings", {})
        write_alignment(folds[0].var_names, *zip(*fitted, strict=True), embed, output_alignment)


def external(path: PathLike, cohort: PathLike, output: PathLike, output_report: PathLike) -> None:
    """Write user-supplied embeddings (.h5ad, samples x features) in the form of aligned ones; all samples are eligible.

    Features are standardised. Samples outside the cohort and samples with a missing value are excluded and counted.
    Raises UserError when the file has no features, or when no sample of the cohort is complete.
    """
    data = read_modality(path)
    samples = read_cohort(cohort)
    samples = included(samples)
    require_overlap(data.obs_names, samples["iid"], f"the embeddings ({path})", f"the cohort ({cohort})")
    inside = data.obs_names.isin(samples["iid"])
    if data.X is None or not data.n_vars:
        raise UserError(f"{path} has no features: X must hold samples x features")
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    complete = np.isfinite(values.astype(np.float64)).all(axis=1)
    if not (inside & complete).any():
        raise UserError(f"{path}: no sample of the cohort has a value for every feature: drop incomplete features")
    log.info(
        "%d of %d samples are not in the cohort and %d have a missing value: %d remain",
        int((~inside).sum()),
        len(values),
        int((inside & ~complete).sum()),
        int((inside & complete).sum()),
    )
    use = inside & complete
    values, mean, sd = standardise(values[use], np.full(int(use.sum()), "train"))
    obs = pd.DataFrame({"fold": 0, "role": "heldout", "gwas_eligible": True}, index=data.obs_names[use])
    _write(output, values, obs, data.var_names, mean, sd)
    _write_json(output_report, {"folds": [], "n_samples": len(obs), "tested": len(obs)})


def _standardise(data: ad.AnnData, path: PathLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardise the features of one network on its training samples: values, mean, sd."""
    if not (data.obs["role"] == "train").any():
        raise UserError(f"{path} has no training sample: run embed with the cohort that the network was trained on")
    return standardise(data.X, data.obs["role"].to_numpy())


def _rotation(
    values: np.ndarray, data: ad.AnnData, reference: np.ndarray, first: ad.AnnData, fold: int
) -> tuple[np.ndarray, dict[str, object]]:
    """Return the rotation of `values` onto network 0, and its entry in the report."""
    both = data.obs_names[data.obs["role"] == "train"].intersection(first.obs_names[first.obs["role"] == "train"])
    if len(both) < 2:
        raise UserError(
            f"networks 0 and {fold} share fewer than two training samples: run embed with the cohort of their training"
        )
    if len(both) <= values.shape[1]:
        log.warning(
            "networks 0 and %d share only %d training samples for %d features: the rotation is underdetermined",
            fold,
            len(both),
            values.shape[1],
        )
    source, target = values[data.obs_names.get_indexer(both)], reference[first.obs_names.get_indexer(both)]
    rotation = procrustes(source, target)
    before, after = correlations(source, target), correlations(source @ rotation, target)
    entry = {
        "fold": fold,
        "samples_shared": len(both),
        "reference": False,
        "mean_correlation_before": float(np.nanmean(before)),
        "mean_correlation_after": float(np.nanmean(after)),
        "correlation_after": [None if np.isnan(one) else round(float(one), 4) for one in after],
    }
    log.info(
        "network %d: mean correlation with network 0 %.3f before and %.3f after rotation, %d samples",
        fold,
        entry["mean_correlation_before"],
        entry["mean_correlation_after"],
        len(both),
    )
    return rotation, entry


def _rows(data: ad.AnnData, values: np.ndarray, fold: int, only_heldout: bool) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the values and obs of the samples that one network contributes."""
    role = data.obs["role"].astype(str).to_numpy()
    use = role == "heldout" if only_heldout else np.ones(len(role), dtype=bool)
    obs = pd.DataFrame({"fold": fold, "role": role, "gwas_eligible": use}, index=data.obs_names)
    return values[use], obs[use]


def _write(
    path: PathLike, values: np.ndarray, obs: pd.DataFrame, names: pd.Index, mean: np.ndarray, sd: np.ndarray
) -> None:
    """Write an .h5ad with the mean and SD of network 0."""
    data = ad.AnnData(
        X=values.astype(np.float32),
        obs=obs,
        var=pd.DataFrame(index=names.astype(str)),
        uns={"mean0": mean, "sd0": sd},
    )
    with replacing(path) as temporary:
        data.write_h5ad(temporary)


def _write_json(path: PathLike, content: dict[str, object]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
