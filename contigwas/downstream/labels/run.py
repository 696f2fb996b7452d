"""All arms of a task with one seed: fitted on shares of the training samples, and what they predict of the tested."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from contigwas.config.downstream import FINETUNED, KNN, PROBE, SCRATCH
from contigwas.downstream.labels.external_images import load_pictures
from contigwas.downstream.labels.finetune import Encoder, finetuned
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
STAGE = 8802  # of the random numbers: no other stage draws the same


@dataclass(frozen=True)
class Study:
    """The labelled samples of a task who have features, and what a model knows of them.

    samples: iid, family; values: float (samples, columns); features: of each network, float (samples, features);
    photographs and networks: where arms are fine-tuned.
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
    """Fit every arm on every share of the labels in every split, and write what it predicts of the tested samples.

    `labels` and `target` are as `write_labels` wrote them; `embeddings` the features from each of the networks
    `checkpoints` (without one, features that were user-supplied or applied: whoever has obs.tested False is not tested),
    `images` array and table, or None where no arm needs them.
    `settings` is the task's block with `arms`, `seed` (of the config), `math_threads`, `bf16` and `checkpoint` (last or
    best); `seed` numbers the repeat.

    `output_predictions` (private): iid arm share split network seen train, and `p0` …; `output_skipped`: share, split
    and reason of shares that cannot be learned from, of which nothing is predicted in any split. Raises UserError for
    features that are no numbers, for what `splits` refuses, and when memory does not suffice.
    """
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory(f"there is too little memory to train on {settings['batch']} images: lower batch of the task"),
    ):
        study = load(labels, target, embeddings, checkpoints, images, settings)
        skipped = lacking(study, settings, seed)
        shares = [one for one in settings["shares"] if one not in set(skipped["share"])]
        work = [
            (number, arm, share) for number in range(len(study.splits)) for arm in settings["arms"] for share in shares
        ]
        found = [_fitted(study, *one, settings, seed) for one in tqdm(work, "fits", disable=None)]
    for share, part in skipped.groupby("share"):
        log.warning("%g of the labels are too few in %d splits: %s", share, len(part), part["reason"].iloc[0])
    names = ["iid", "arm", "share", "split", "network", "seen", "train"]
    names += [f"p{number}" for number in range(study.target.width)]
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=names)
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
) -> Study:
    """Whoever has a label and features (and, where images are needed, an image)."""
    table, (kind, _) = pd.read_parquet(labels), read_target(target)
    read = [read_modality(path) for path in embeddings]
    there = pd.Index(table["iid"])
    for path, data in zip(embeddings, read, strict=True):
        require_overlap(there, data.obs_names, f"the labels ({settings['table']})", f"the features ({path})")
        there = there[there.isin(data.obs_names)]
    photographs = None
    if images is not None:
        there, photographs = load_pictures(*images, there)
    log.info("%d of %d samples with labels have features", len(there), len(table))
    features = [
        _features(path, np.asarray(data.X[rows_of(there, data.obs_names)], np.float64))
        for path, data in zip(embeddings, read, strict=True)
    ]
    samples = table.set_index("iid").loc[there].reset_index(names="iid")
    values = samples[[f"y{number}" for number in range(len(kind.names))]].to_numpy(float)
    why = kind.lacks(values)
    if why:
        raise UserError(
            f"{settings['table']}: of the {len(samples)} samples that have features too {why}: label more samples that have"
        )
    states = [read_checkpoint(path) for path in checkpoints]
    reported = {} if states else _told_of(read[0].obs.iloc[rows_of(there, read[0].obs_names)])
    found = splits(
        samples,
        states,
        settings["table"],
        bool(settings["cohort"]),
        int(settings["folds"]),
        int(settings["seed"]),
        **reported,
    )
    networks = [
        Pretrained.of(state, path, str(settings["checkpoint"])) for state, path in zip(states, checkpoints, strict=True)
    ]
    return Study(samples[["iid", "family"]], kind, values, found, features, networks, photographs)


def _told_of(obs: pd.DataFrame) -> dict[str, np.ndarray | None]:
    """Who may be tested, and whose images the networks saw, by the features' own file, where there are no checkpoints.

    Of user-supplied features, whose samples are all called held out, nobody knows whose images made them.
    """
    if not {"tested", "role"} <= {*obs}:
        return {}
    role = obs["role"].astype(str).to_numpy()
    return {"tested": obs["tested"].to_numpy(bool), "trained": None if (role == HELDOUT).all() else role == TRAIN}


def _features(path: PathLike, values: np.ndarray) -> np.ndarray:
    odd = ~np.isfinite(values).all(axis=1)
    if odd.any():
        raise UserError(
            f"{path} holds features that are no numbers (NaN or infinite) for {odd.sum()} of the {len(odd)} labelled "
            "samples: make it again, or leave those samples out of it"
        )
    return values


def lacking(study: Study, settings: Mapping[str, object], seed: int) -> pd.DataFrame:
    """The splits of shares that nothing can be learned from: share, split, samples, reason."""
    rows = []
    for share in settings["shares"]:
        for number, split in enumerate(study.splits):
            some = chosen(study, split, share, settings, seed)
            why = study.target.teaches_nothing(study.values[some])
            if why:
                rows.append({"share": share, "split": number, "n_samples": len(some), "reason": why})
    return pd.DataFrame(rows, columns=["share", "split", "n_samples", "reason"])


def chosen(study: Study, split: Split, share: float, settings: Mapping[str, object], seed: int) -> np.ndarray:
    """Positions of the training samples whose labels are used: of all arms the same."""
    iids = study.samples["iid"].to_numpy()
    return split.train[subset(iids[split.train], share, f"{settings['seed']}:{seed}")]


def _fitted(
    study: Study, number: int, arm: str, share: float, settings: Mapping[str, object], seed: int
) -> pd.DataFrame:
    split, target = study.splits[number], study.target
    some = chosen(study, split, share, settings, seed)
    entropy = np.random.SeedSequence([int(settings["seed"]), STAGE, seed, number, int(1e6 * share)])
    weights, order, views = (int(one) for one in entropy.generate_state(3))
    features, values = study.features[split.network], study.values
    if arm == PROBE:
        by = target.weights(values[some]) if settings.get("class_weights") else np.ones_like(values[some])
        families = study.samples["family"].to_numpy()[some]
        found = probe(features[some], values[some], features[split.test], target, by, families, weights)
    elif arm == KNN:
        found = neighbours(features[some], values[some], features[split.test], target, int(settings["neighbours"]))
    else:
        torch.manual_seed(weights)
        network = build(arm, study, split.network)
        found = finetuned(
            network,
            study.photographs,
            values,
            some,
            split.test,
            target,
            settings,
            arm == FINETUNED,
            (order, views),
            arm,
        )
    rows = pd.DataFrame({"iid": study.samples["iid"].to_numpy()[split.test]})
    rows = rows.assign(arm=arm, share=share, split=number, network=split.network, train=len(some))
    rows["seen"] = pd.array([split.seen] * len(rows), dtype="Int64")
    return rows.assign(**{f"p{place}": column for place, column in enumerate(found.T)})


def build(arm: str, study: Study, network: int) -> Encoder:
    """The network of an arm, new, its head drawn from torch's generator; the pixel scaler is the pretraining's."""
    learned = study.networks[network]
    if learned.shape[0] != study.photographs.shape[0]:
        raise UserError(
            f"{learned.where} was trained on images of {learned.shape[0]} channels, but those of the task have "
            f"{study.photographs.shape[0]}: train again"
        )
    trunk = learned.new_trunk() if arm == SCRATCH else learned.trunk()
    return Encoder(learned.pixels(), trunk, study.target.width)
