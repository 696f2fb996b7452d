"""The task: features of the tested samples, both partitions, their agreement with labels, and what is written."""

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
    HDBSCAN_AGAIN,
    HDBSCAN_SAMPLES,
    Partition,
    between_seeds,
    hdbscan,
    kept,
    kmeans,
    partition,
    silhouettes,
)
from contigwas.downstream.clusters.result import Found
from contigwas.downstream.folds import families_of
from contigwas.phenotypes.pca import fit
from contigwas.privacy.small_counts import LEAST, any_hidden, coarse, hidden
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

    `cohort` (cohort.tsv) tells the families, which the probe's cross-validation keeps together. Of more than
    `HDBSCAN_SAMPLES` samples there is no HDBSCAN, and the JSON says so.
    `settings` is the task's block with `seed`: scale, components (of the scaled features; these are clustered, 0: all
    features), k (null: the k of 2 … k_max with the largest mean silhouette), min_cluster_size of HDBSCAN, labels (table
    and column, or null). Written are everything (JSON), a tidy table, the figure, and who is in which cluster, into a
    private folder. No count of 1 to 4 samples is reported, nor what would tell it. Raises UserError where there are fewer
    samples than clusters, and for labels that are none.
    """
    place = f"config: downstream.{name}"
    iids, features = features_of_tested(embeddings, str(settings["scale"]), int(settings["components"]), place)
    _require_samples(len(features), settings, embeddings, place)
    seed = int(settings["seed"])
    criterion = silhouettes(features, min(int(settings["k_max"]), kept(len(features))), seed)
    k = int(settings["k"] or max(criterion, key=criterion.__getitem__))
    log.info("k-means with k = %d, whose mean silhouette is %.3f", k, criterion[k])
    partitions = {KMEANS: partition(features, lambda some: kmeans(some, k, seed), seed)}
    if len(features) <= HDBSCAN_SAMPLES:
        size = int(settings["min_cluster_size"])
        partitions[HDBSCAN] = partition(features, lambda some: hdbscan(some, size), seed, HDBSCAN_AGAIN)
    else:
        log.warning("no HDBSCAN: %s", _skipped(len(features)))
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
    without = 0 if labels is None else int((~labels.known).sum())
    found = Found(criterion, k, partitions, names, agreements, without, pd.DataFrame())
    if HDBSCAN in partitions and _noise_is_told(found, labels):
        rows.append(_row(HDBSCAN, "noise", np.array([partitions[HDBSCAN].noise / len(features)]), len(features)))
    rows += _measured(found, len(features))
    tidy = pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64", "n_samples": "Int64"})
    found = replace(found, rows=tidy)
    with replacing(output_json) as temporary:
        temporary.write_text(json.dumps(_told(found, features, labels, settings), indent=2) + "\n")
    write_tsv(tidy, output_tsv)
    draw(found, output_figures)
    private_folder(Path(output_samples).parent)
    write_parquet(samples, output_samples)


def _require_samples(samples: int, settings: Mapping[str, object], embeddings: PathLike, place: str) -> None:
    """Raise UserError where a resample has fewer samples than there are clusters, or than a cluster has."""
    wanted, size = int(settings["k"] or 2), int(settings["min_cluster_size"])
    again = kept(samples)
    tested = f"{samples} samples of {embeddings} are tested, and clusters are found again in random 80 % of them"
    if again < wanted:
        raise UserError(f"{place}: {tested} ({again}), too few for {wanted} clusters: lower k to {again} at most")
    again = kept(min(samples, HDBSCAN_AGAIN))
    if samples <= HDBSCAN_SAMPLES and size > again:
        few = f", of {HDBSCAN_AGAIN} at most" if samples > HDBSCAN_AGAIN else ""
        raise UserError(
            f"{place}.min_cluster_size is {size}, but only {tested}{few} ({again}): lower it to {again} at most"
        )


def _but_few(everybody: int, others: int) -> int | str:
    """All but `others` samples, hidden where either number is."""
    if any_hidden([hidden(others)]):
        return f"all but <{LEAST}"
    return hidden(everybody - others)


def _skipped(samples: int) -> str:
    """Why there is no HDBSCAN."""
    return f"{samples} samples are tested, more than the {HDBSCAN_SAMPLES} up to which its time is borne"


def features_of_tested(path: PathLike, scale: str, components: int, place: str) -> tuple[pd.Index, np.ndarray]:
    """IIDs and features (samples, features) float64 of the tested samples: scaled, then their first components.

    `scale` is standard (each feature of mean 0 and SD 1) or unit (as the network gives them, a sample's of length 1).
    Components are fitted on these samples and keep their variances; there are at most as many as samples and features
    allow. Raises UserError where nobody is tested, or a file is no aligned embeddings.
    """
    data = read_modality(path)
    if "tested" not in data.obs:
        raise UserError(f"{path} has no obs column tested: run the stage align again")
    tested = data.obs["tested"].to_numpy(bool)
    if tested.sum() < 3:
        raise UserError(f"{place}: {hidden(int(tested.sum()))} samples of {path} are tested: clusters need at least 3")
    values = np.asarray(data.X[tested], np.float64)
    if scale == "unit":
        values = values * np.asarray(data.uns["sd0"]) + np.asarray(data.uns["mean0"])
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    else:
        sd = values.std(axis=0)
        values = (values - values.mean(axis=0)) / np.where(sd > 1e-8, sd, 1.0)
    if components:
        values = (fitted := fit(values, min(components, len(values) - 1, values.shape[1])))(values)
        log.info("%d components of %d features are clustered", len(fitted.names), data.n_vars)
    return data.obs_names[tested].astype(str), values


def _agreements(
    features: np.ndarray,
    partitions: Mapping[str, Partition],
    labels: Labels,
    samples: pd.DataFrame,
    cohort: PathLike,
    seed: int,
) -> dict[str, Agreement]:
    """The agreement of every arm with the labels; adds the labels, and what the probe says, to the table of samples."""
    known, codes = labels.known, labels.codes[labels.known]
    result = {arm: Agreement.of(one.clusters[known], codes) for arm, one in partitions.items()}
    samples["label"] = [labels.names[code] if code >= 0 else "" for code in labels.codes]
    predicted = probe(features[known], codes, families_of(samples["iid"], cohort)[known], seed)
    if predicted is not None:
        result[PROBE] = Agreement.of(predicted, codes, identity=True)
        samples.loc[known, PROBE] = [labels.names[code] for code in predicted]
    return result


def _noise_is_told(found: Found, labels: Labels | None) -> bool:
    """Whether the share of noise tells no hidden count, by itself or with the table of clusters and labels."""
    if labels is None:
        return not any_hidden(found.sizes(HDBSCAN))
    apart = int((found.partitions[HDBSCAN].clusters[~labels.known] < 0).sum())
    counts = [found.partitions[HDBSCAN].noise, apart, found.without - apart]
    return not any_hidden([hidden(count) for count in counts]) and not any_hidden(found.table(HDBSCAN))


def _measured(found: Found, everybody: int) -> list[dict[str, object]]:
    """Rows of the tidy table: each measure of each arm. Clusters used no label, the probe those of the other folds.

    Where a table hides counts its measures are coarse, since they are sums of its cells.
    """
    rows, known = [], everybody - found.without
    samples = pd.NA if any_hidden([hidden(found.without), hidden(known)]) else known
    for arm, one in found.agreements.items():
        share = (FOLDS - 1) / FOLDS if arm == PROBE else 0.0
        hides = samples is pd.NA or any_hidden(found.table(arm))
        for metric, values in one.measures().items():
            value, low, high = (coarse(number, known) for number in values) if hides else values
            numbers = {"value": value, "low": low, "high": high, "n_samples": samples}
            rows.append({"arm": arm, "share": share, "seed": pd.NA, "metric": metric, **numbers})
    return rows


def _row(arm: str, metric: str, values: np.ndarray, samples: int) -> dict[str, object]:
    """Mean of values, and their 2.5 and 97.5 percentiles; a share of labels of 0."""
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) > 1 else (np.nan, np.nan)
    return {
        "arm": arm, "share": 0.0, "seed": pd.NA, "metric": metric,
        "value": values.mean(), "low": low, "high": high, "n_samples": samples,
    }  # fmt: skip


def _told(
    found: Found, features: np.ndarray, labels: Labels | None, settings: Mapping[str, object]
) -> dict[str, object]:
    """The JSON: figures and tables, small counts hidden."""
    result: dict[str, object] = {
        "settings": dict(settings),
        "n_samples": len(features),
        "features": features.shape[1],
        "criterion": {"name": "mean silhouette", **{str(k): value for k, value in found.criterion.items()}},
        "k": found.k,
    }
    for arm in found.partitions:
        # with labels the tables tell how large clusters are: sums beside them would tell the cells that are hidden
        result[arm] = {} if labels else {"sizes": found.sizes(arm)[:-1], "noise": found.sizes(arm)[-1]}
    if labels is not None:
        result["labels"] = {
            "names": labels.names,
            "samples_with": _but_few(len(features), found.without),
            "samples_without": _but_few(len(features), len(features) - found.without),
            "unknown_samples": hidden(labels.unknown),
        }
    if HDBSCAN not in found.partitions:
        result[HDBSCAN] = {"skipped": _skipped(len(features))}
    for arm, one in found.agreements.items():
        named = ["" if code < 0 else found.names[code] for code in one.matched]
        result[arm] = {"stands_for": named, "counts": found.table(arm)}
    rows = found.rows.drop(columns=["seed"])
    return result | {"metrics": rows.astype(object).where(rows.notna(), None).to_dict("records")}
