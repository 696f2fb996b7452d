"""Fit all arms of a classification or regression with one seed, and predict the test samples."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from contigwas.config.downstream import FINETUNED, KNN, PROBE, SCRATCH
from contigwas.downstream.labels.external_images import load_task_images
from contigwas.downstream.labels.finetune import Encoder, finetune
from contigwas.downstream.labels.heads import neighbours, probe
from contigwas.downstream.labels.kinds import Target, read_target
from contigwas.downstream.splits import Split, splits, subset
from contigwas.images.array import Photographs
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint
from contigwas.pretrain.roles import HELDOUT, TRAIN
from contigwas.runtime.atomic_files import PathLike, private_folder, write_parquet, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.sample_ids import require_overlap, rows_of

log = logging.getLogger(__name__)
STAGE = 8802  # part of the random seeds, so that no two stages share random numbers


@dataclass(frozen=True)
class LabelData:
    """Labelled samples of a task with features, and the networks of a model.

    samples: table with the columns iid and family; values: float (samples, columns); features: float (samples,
    features) of each network; photographs and networks: only for fine-tuned arms.
    """

    samples: pd.DataFrame
    target: Target
    values: np.ndarray
    splits: list[Split]
    features: list[np.ndarray]
    networks: list[Pretrained]
    photographs: Photographs | None


def predict(
    labels: PathLike,
    target: PathLike,
    embeddings: Sequence[PathLike],
    checkpoints: Sequence[PathLike],
    images: tuple[PathLike, PathLike] | None,
    settings: Mapping[str, object],
    seed: int,
    output_predictions: PathLike,
    output_skipped: PathLike,
) -> None:
    """Fit every arm on every share of the labels in every split, and write predictions of the test samples.

    `labels` and `target` are outputs of `write_labels`. `embeddings` are the features from each network in
    `checkpoints`. Without checkpoints the features are user-supplied or of an applied model, and samples with
    obs.gwas_eligible False are not tested. `images` are array and table, or None if no arm needs them. `settings` is
    the block of the task with `arms`, `seed` (of the config), `math_threads`, `bf16` and `checkpoint` (last or best).
    `seed` is the number of the repeat.

    `output_predictions` (private): iid arm share split network seen train, and `p0` …; `output_skipped`: share, split,
    n_samples and reason of shares of labels that cannot be learned, which are not predicted in any split. Raises
    UserError for features that are not finite, for the errors of `splits`, and if memory is insufficient.
    """
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory(f"too little memory to train on {settings['batch']} images: lower batch of the task"),
    ):
        data = load(labels, target, embeddings, checkpoints, images, settings)
        skipped = unlearnable_splits(data, settings, seed)
        shares = [one for one in settings["shares"] if one not in set(skipped["share"])]
        work = [
            (number, arm, share) for number in range(len(data.splits)) for arm in settings["arms"] for share in shares
        ]
        predictions = [_fit_arm(data, *one, settings, seed) for one in tqdm(work, "fits", disable=None)]
    for share, part in skipped.groupby("share"):
        log.warning(
            "share %g of the labels is skipped: too few labels in %d splits (%s)",
            share,
            len(part),
            part["reason"].iloc[0],
        )
    names = ["iid", "arm", "share", "split", "network", "seen", "train"]
    names += [f"p{number}" for number in range(data.target.width)]
    rows = pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(columns=names)
    private_folder(Path(output_predictions).parent)
    write_tsv(skipped, output_skipped)
    write_parquet(rows, output_predictions)


def load(
    labels: PathLike,
    target: PathLike,
    embeddings: Sequence[PathLike],
    checkpoints: Sequence[PathLike],
    images: tuple[PathLike, PathLike] | None,
    settings: Mapping[str, object],
) -> LabelData:
    """Return the data of all samples that have a label, features and, if images are needed, an image."""
    table, (kind, _) = pd.read_parquet(labels), read_target(target)
    read = [read_modality(path) for path in embeddings]
    iids = pd.Index(table["iid"])
    for path, data in zip(embeddings, read, strict=True):
        require_overlap(iids, data.obs_names, f"the labels ({settings['table']})", f"the features ({path})")
        iids = iids[iids.isin(data.obs_names)]
    photographs = None
    if images is not None:
        iids, photographs = load_task_images(*images, iids)
    log.info("%d of %d samples with labels have features", len(iids), len(table))
    features = [
        _require_finite(path, np.asarray(data.X[rows_of(iids, data.obs_names)], np.float64))
        for path, data in zip(embeddings, read, strict=True)
    ]
    samples = table.set_index("iid").loc[iids].reset_index(names="iid")
    values = samples[[f"y{number}" for number in range(len(kind.names))]].to_numpy(float)
    problem = kind.missing_values(values)
    if problem:
        raise UserError(
            f"{settings['table']}: among the {len(samples)} labelled samples with features {problem}. Label more "
            "samples that have features."
        )
    states = [read_checkpoint(path) for path in checkpoints]
    eligibility = {} if states else _eligibility(read[0].obs.iloc[rows_of(iids, read[0].obs_names)])
    assigned = splits(
        samples,
        states,
        settings["table"],
        bool(settings["cohort"]),
        int(settings["folds"]),
        int(settings["seed"]),
        **eligibility,
    )
    networks = [
        Pretrained.of(state, path, str(settings["checkpoint"])) for state, path in zip(states, checkpoints, strict=True)
    ]
    return LabelData(samples[["iid", "family"]], kind, values, assigned, features, networks, photographs)


def _eligibility(obs: pd.DataFrame) -> dict[str, np.ndarray | None]:
    """Return the arguments `tested` and `trained` of `splits` from the features' obs, for features without checkpoints.

    User-supplied features have the role held out for all samples; the samples that their network trained on are
    unknown.
    """
    if not {"gwas_eligible", "role"} <= {*obs}:
        return {}
    role = obs["role"].astype(str).to_numpy()
    return {
        "tested": obs["gwas_eligible"].to_numpy(bool),
        "trained": None if (role == HELDOUT).all() else role == TRAIN,
    }


def _require_finite(path: PathLike, values: np.ndarray) -> np.ndarray:
    invalid = ~np.isfinite(values).all(axis=1)
    if invalid.any():
        raise UserError(
            f"{path}: features are NaN or infinite for {invalid.sum()} of the {len(invalid)} labelled samples. Create "
            "the file again, or remove these samples from it."
        )
    return values


def unlearnable_splits(data: LabelData, settings: Mapping[str, object], seed: int) -> pd.DataFrame:
    """Return the shares and splits in which the target cannot be learned: share, split, n_samples, reason."""
    rows = []
    for share in settings["shares"]:
        for number, split in enumerate(data.splits):
            some = training_subset(data, split, share, settings, seed)
            reason = data.target.why_not_learnable(data.values[some])
            if reason:
                rows.append({"share": share, "split": number, "n_samples": len(some), "reason": reason})
    return pd.DataFrame(rows, columns=["share", "split", "n_samples", "reason"])


def training_subset(
    data: LabelData, split: Split, share: float, settings: Mapping[str, object], seed: int
) -> np.ndarray:
    """Return positions of the training samples whose labels are used, the same for all arms."""
    iids = data.samples["iid"].to_numpy()
    return split.train[subset(iids[split.train], share, f"{settings['seed']}:{seed}")]


def _fit_arm(
    data: LabelData, number: int, arm: str, share: float, settings: Mapping[str, object], seed: int
) -> pd.DataFrame:
    split, target = data.splits[number], data.target
    some = training_subset(data, split, share, settings, seed)
    entropy = np.random.SeedSequence([int(settings["seed"]), STAGE, seed, number, int(1e6 * share)])
    weights, order, views = (int(one) for one in entropy.generate_state(3))
    features, values = data.features[split.network], data.values
    if arm == PROBE:
        sample_weights = target.weights(values[some]) if settings.get("class_weights") else np.ones_like(values[some])
        families = data.samples["family"].to_numpy()[some]
        predicted = probe(features[some], values[some], features[split.test], target, sample_weights, families, weights)
    elif arm == KNN:
        predicted = neighbours(features[some], values[some], features[split.test], target, int(settings["neighbours"]))
    else:
        torch.manual_seed(weights)
        network = build(arm, data, split.network)
        predicted = finetune(
            network,
            data.photographs,
            values,
            some,
            split.test,
            target,
            settings,
            arm == FINETUNED,
            (order, views),
            arm,
        )
    rows = pd.DataFrame({"iid": data.samples["iid"].to_numpy()[split.test]})
    rows = rows.assign(arm=arm, share=share, split=number, network=split.network, train=len(some))
    rows["seen"] = pd.array([split.seen] * len(rows), dtype="Int64")
    return rows.assign(**{f"p{place}": column for place, column in enumerate(predicted.T)})


def build(arm: str, data: LabelData, network: int) -> Encoder:
    """Return a new network of an arm, with a head initialised from torch's generator and a pretrained pixel scaler."""
    learned = data.networks[network]
    if learned.shape[0] != data.photographs.shape[0]:
        raise UserError(
            f"{learned.path} was trained on images with {learned.shape[0]} channels, but those of the task have "
            f"{data.photographs.shape[0]}: train the model again"
        )
    trunk = learned.new_trunk() if arm == SCRATCH else learned.trunk()
    return Encoder(learned.pixels(), trunk, data.target.width)
