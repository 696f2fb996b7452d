"""Clustering task: cluster the tested samples, compare the clusters with labels, and write the results."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.downstream.clusters.agreement import Agreement
from contigwas.downstream.clusters.figure import draw
from contigwas.downstream.clusters.labels import FOLDS, Labels, probe, read_labels
from contigwas.downstream.clusters.partitions import (
    HDBSCAN_RESAMPLE,
    HDBSCAN_SAMPLES,
    Partition,
    between_seeds,
    hdbscan,
    kmeans,
    partition,
    resample_size,
    silhouettes,
)
from contigwas.downstream.clusters.result import ClusteringResult
from contigwas.downstream.folds import family_codes
from contigwas.phenotypes.pca import fit
from contigwas.privacy.small_counts import MIN_COUNT, any_hidden, coarse, hidden
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)
COLUMNS = ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]
KMEANS, HDBSCAN, PROBE = "kmeans", "hdbscan", "probe"


def cluster(
    embeddings: PathLike,
    cohort: PathLike,
    settings: Mapping[str, object],
    name: str,
    output_json: PathLike,
    output_tsv: PathLike,
    output_figures: Sequence[PathLike],
    output_samples: PathLike,
) -> None:
    """Cluster the tested samples of `embeddings` (an aligned embeddings.h5ad) for the task `name`.

    `cohort` is cohort.tsv with the families, which cross-validation of the probe keeps together. `settings` is the
    block of the task with `seed`: scale; components (number of principal components of the scaled features to cluster;
    0: all features); k (null: the k of 2 … k_max with the largest mean silhouette); min_cluster_size of HDBSCAN; labels
    (table and column, or null). HDBSCAN is not run with more than `HDBSCAN_SAMPLES` samples, and the JSON says so.

    Writes all results (JSON), a tidy table, the figure, and the cluster of each sample to a private folder. Counts of
    1 to 4 samples, and values that would disclose them, are not reported. Raises UserError if there are fewer samples
    than clusters, or if the labels are unusable.
    """
    place = f"config: downstream.{name}"
    iids, features = features_of_tested(embeddings, str(settings["scale"]), int(settings["components"]), place)
    _require_samples(len(features), settings, embeddings, place)
    seed = int(settings["seed"])
    criterion = silhouettes(features, min(int(settings["k_max"]), resample_size(len(features))), seed)
    k = int(settings["k"] or max(criterion, key=criterion.__getitem__))
    log.info("k-means with k = %d, mean silhouette %.3f", k, criterion[k])
    partitions = {KMEANS: partition(features, lambda some: kmeans(some, k, seed), seed)}
    if len(features) <= HDBSCAN_SAMPLES:
        size = int(settings["min_cluster_size"])
        partitions[HDBSCAN] = partition(features, lambda some: hdbscan(some, size), seed, HDBSCAN_RESAMPLE)
    else:
        log.warning("HDBSCAN is not run: %s", _skipped_reason(len(features)))
    for arm, one in partitions.items():
        log.info("%s: %d clusters of %d samples", arm, len(one.sizes), len(features))
    rows = [_row(arm, "stability", one.stability, len(features)) for arm, one in partitions.items()]
    rows += [
        _row(KMEANS, "stability_seeds", between_seeds(features, k, seed), len(features)),
        _row(KMEANS, "silhouette", np.array([criterion[k]]), len(features)),
    ]
    samples = pd.DataFrame({"iid": iids, **{arm: one.clusters for arm, one in partitions.items()}})
    names, agreements, labels = [], {}, None
    if settings["labels"] is not None:
        table, column = settings["labels"]["table"], settings["labels"]["column"]
        labels = read_labels(table, column, iids, f"the tested samples ({embeddings})")
        names, agreements = labels.names, _agreements(features, partitions, labels, samples, cohort, seed)
    without = 0 if labels is None else int((~labels.is_labelled).sum())
    result = ClusteringResult(criterion, k, partitions, names, agreements, without, pd.DataFrame())
    if HDBSCAN in partitions and _noise_is_reportable(result, labels):
        rows.append(_row(HDBSCAN, "noise", np.array([partitions[HDBSCAN].noise / len(features)]), len(features)))
    rows += _agreement_rows(result, len(features))
    tidy = pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64", "n_samples": "Int64"})
    result = replace(result, rows=tidy)
    with replacing(output_json) as temporary:
        temporary.write_text(json.dumps(_json_content(result, features, labels, settings), indent=2) + "\n")
    write_tsv(tidy, output_tsv)
    draw(result, output_figures)
    private_folder(Path(output_samples).parent)
    write_parquet(samples, output_samples)


def _require_samples(samples: int, settings: Mapping[str, object], embeddings: PathLike, place: str) -> None:
    """Raise UserError if a resample has fewer samples than clusters, or than the minimum size of a cluster."""
    n_clusters, size = int(settings["k"] or 2), int(settings["min_cluster_size"])
    resampled = resample_size(samples)
    tested = f"{samples} samples of {embeddings} are tested, and resamples for the stability have 80 % of "
    if resampled < n_clusters:
        raise UserError(
            f"{place}: {tested}them ({resampled}), too few for {n_clusters} clusters. Set k to at most {resampled}."
        )
    resampled = resample_size(min(samples, HDBSCAN_RESAMPLE))
    if samples <= HDBSCAN_SAMPLES and size > resampled:
        pool = f"at most {HDBSCAN_RESAMPLE} of them" if samples > HDBSCAN_RESAMPLE else "them"
        raise UserError(
            f"{place}.min_cluster_size is {size}, but only {tested}{pool} ({resampled}). Set it to at most {resampled}."
        )


def _report_complement(samples: int, others: int) -> int | str:
    """Return `samples` - `others` for a report, hidden if either number has to be hidden."""
    if any_hidden([hidden(others)]):
        return f"all but <{MIN_COUNT}"
    return hidden(samples - others)


def _skipped_reason(samples: int) -> str:
    """Return the reason why HDBSCAN is not run."""
    return f"{samples} samples are tested, more than its maximum of {HDBSCAN_SAMPLES} (its time grows with the square)"


def features_of_tested(path: PathLike, scale: str, components: int, place: str) -> tuple[pd.Index, np.ndarray]:
    """Return IIDs and scaled features of the tested samples, float64 (samples, features), or their first components.

    `scale` is standard (each feature has mean 0 and SD 1) or unit (features of the network, each sample scaled to
    length 1). Components are fitted on these samples and keep their variances; there are at most as many as samples and
    features allow. Raises UserError if fewer than three samples are tested, or if the file has no obs column
    gwas_eligible.
    """
    data = read_modality(path)
    if "gwas_eligible" not in data.obs:
        raise UserError(f"{path} has no obs column gwas_eligible: run the stage align again")
    tested = data.obs["gwas_eligible"].to_numpy(bool)
    if tested.sum() < 3:
        raise UserError(f"{place}: {hidden(int(tested.sum()))} samples of {path} are tested, but clusters need 3")
    values = np.asarray(data.X[tested], np.float64)
    if scale == "unit":
        values = values * np.asarray(data.uns["sd0"]) + np.asarray(data.uns["mean0"])
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    else:
        sd = values.std(axis=0)
        values = (values - values.mean(axis=0)) / np.where(sd > 1e-8, sd, 1.0)
    if components:
        values = (fitted := fit(values, min(components, len(values) - 1, values.shape[1])))(values)
        log.info("clustering %d components of %d features", len(fitted.names), data.n_vars)
    return data.obs_names[tested].astype(str), values


def _agreements(
    features: np.ndarray,
    partitions: Mapping[str, Partition],
    labels: Labels,
    samples: pd.DataFrame,
    cohort: PathLike,
    seed: int,
) -> dict[str, Agreement]:
    """Return the agreement of every arm with the labels. Adds labels and predictions of the probe to `samples`."""
    labelled, codes = labels.is_labelled, labels.codes[labels.is_labelled]
    result = {arm: Agreement.of(one.clusters[labelled], codes) for arm, one in partitions.items()}
    samples["label"] = [labels.names[code] if code >= 0 else "" for code in labels.codes]
    predicted = probe(features[labelled], codes, family_codes(samples["iid"], cohort)[labelled], seed)
    if predicted is not None:
        result[PROBE] = Agreement.of(predicted, codes, identity=True)
        samples.loc[labelled, PROBE] = [labels.names[code] for code in predicted]
    return result


def _noise_is_reportable(result: ClusteringResult, labels: Labels | None) -> bool:
    """Return whether the share of noise discloses no hidden count, alone or with the table of clusters and labels."""
    if labels is None:
        return not any_hidden(result.sizes(HDBSCAN))
    unlabelled_noise = int((result.partitions[HDBSCAN].clusters[~labels.is_labelled] < 0).sum())
    counts = [result.partitions[HDBSCAN].noise, unlabelled_noise, result.without - unlabelled_noise]
    return not any_hidden([hidden(count) for count in counts]) and not any_hidden(result.table(HDBSCAN))


def _agreement_rows(result: ClusteringResult, n_samples: int) -> list[dict[str, object]]:
    """Return rows of the tidy table: each measure of each arm. Clusters use no labels; the probe uses other folds.

    If a table hides counts, its measures are rounded coarsely, because they are sums over its cells.
    """
    rows, labelled = [], n_samples - result.without
    samples = pd.NA if any_hidden([hidden(result.without), hidden(labelled)]) else labelled
    for arm, one in result.agreements.items():
        share = (FOLDS - 1) / FOLDS if arm == PROBE else 0.0
        rounded = samples is pd.NA or any_hidden(result.table(arm))
        for metric, values in one.measures().items():
            value, low, high = (coarse(number, labelled) for number in values) if rounded else values
            numbers = {"value": value, "low": low, "high": high, "n_samples": samples}
            rows.append({"arm": arm, "share": share, "seed": pd.NA, "metric": metric, **numbers})
    return rows


def _row(arm: str, metric: str, values: np.ndarray, samples: int) -> dict[str, object]:
    """Return a row with the mean of `values` and their 2.5 and 97.5 percentiles, for a share of labels of 0."""
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) > 1 else (np.nan, np.nan)
    return {
        "arm": arm, "share": 0.0, "seed": pd.NA, "metric": metric,
        "value": values.mean(), "low": low, "high": high, "n_samples": samples,
    }  # fmt: skip


def _json_content(
    result: ClusteringResult, features: np.ndarray, labels: Labels | None, settings: Mapping[str, object]
) -> dict[str, object]:
    """Return the content of the JSON file, with small counts hidden."""
    content: dict[str, object] = {
        "settings": dict(settings),
        "n_samples": len(features),
        "features": features.shape[1],
        "criterion": {"name": "mean silhouette", **{str(k): value for k, value in result.criterion.items()}},
        "k": result.k,
    }
    for arm in result.partitions:
        # with labels the tables give the sizes of clusters, and sums of rows would disclose hidden cells
        content[arm] = {} if labels else {"sizes": result.sizes(arm)[:-1], "noise": result.sizes(arm)[-1]}
    if labels is not None:
        content["labels"] = {
            "names": labels.names,
            "samples_with": _report_complement(len(features), result.without),
            "samples_without": _report_complement(len(features), len(features) - result.without),
            "unknown_samples": hidden(labels.unknown),
        }
    if HDBSCAN not in result.partitions:
        content[HDBSCAN] = {"skipped": _skipped_reason(len(features))}
    for arm, one in result.agreements.items():
        matched = ["" if code < 0 else result.names[code] for code in one.matched]
        content[arm] = {"stands_for": matched, "counts": result.table(arm)}
    rows = result.rows.drop(columns=["seed"])
    return content | {"metrics": rows.astype(object).where(rows.notna(), None).to_dict("records")}
