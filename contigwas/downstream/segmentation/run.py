"""All arms of a segmentation with one seed: fitted on shares of the training samples, counted on the tested ones."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from contigwas.downstream import scores
from contigwas.downstream.segmentation.fit import Images, counts, fit, predict
from contigwas.downstream.segmentation.labelled_images import Labelled, read_labelled
from contigwas.downstream.segmentation.masks import Labels
from contigwas.downstream.segmentation.networks import Genes, Light, Plain, unet, unetr
from contigwas.downstream.splits import Split, splits, subset
from contigwas.pretrain.data import Genetics, load_genetics, read_components
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint, take_from
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet
from contigwas.runtime.disk import reported
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory

log = logging.getLogger(__name__)
STAGE = 8801  # of the random numbers: no other stage draws the same


@dataclass(frozen=True)
class Study:
    """The labelled samples of a task and a model's networks. samples: iid family, one row a sample.

    columns: where in the modality's file the features of each network's encoder stand, as `Pretrained.columns` says.
    """

    samples: pd.DataFrame
    data: Images
    splits: list[Split]
    networks: dict[int, Pretrained]
    classes: tuple[str, ...]
    modality: str | None
    columns: dict[int, torch.Tensor]


@dataclass(frozen=True)
class Example:
    """An image of a sample (its position in the data), and what was predicted: uint8 (sizes …)."""

    image: int
    predicted: torch.Tensor


def segment(
    task: str,
    labelled: Mapping[str, PathLike],
    checkpoints: Sequence[PathLike],
    genes: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    seed: int,
    output_scores: PathLike,
    output_examples: PathLike,
) -> None:
    """Fit every arm on every share of the labels in every split, and write what it does on the tested samples.

    `labelled` names samples, images and masks as `write_labelled` wrote them, `checkpoints` the networks by fold,
    `genes` the modality that arms fuse, `pcs` the genetic components where the recipe takes them out of it. `settings`
    is the task's block with `arms`, `modality`, `seed` (of the config), `math_threads`, `bf16` and `checkpoint` (last
    or best); `seed` numbers the repeat.

    `output_scores`: one row a sample, arm, share and class: `iid network train seen both predicted truth` (pixels).
    `output_examples`: image, mask and prediction of the best, the median and the worst sample of each arm. Raises
    UserError for what `splits` refuses, for a size that the trunk does not take, and when memory does not suffice.
    """
    with deterministic(int(settings["math_threads"])):
        study = load(task, read_labelled(**labelled), checkpoints, genes, pcs, settings)
        with enough_memory(
            f"there is too little memory to train on {settings['batch']} images of {settings['size']} pixels a side "
            f"for {task}: lower batch or size of the task"
        ):
            rows, kept = _all(study, settings, seed)
    private_folder(Path(output_scores).parent)
    shown = _examples(study, rows, kept)
    with reported(output_examples), replacing(output_examples) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **shown)
    write_parquet(rows, output_scores)


def load(
    task: str,
    labelled: Labelled,
    checkpoints: Sequence[PathLike],
    genes: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
) -> Study:
    """Everything that the fits share."""
    samples = labelled.samples.drop_duplicates("iid")[["iid", "family"]].reset_index(drop=True)
    states = [read_checkpoint(path) for path in checkpoints]
    cohort = bool(settings["cohort"])
    found = splits(samples, states, settings["table"], cohort, int(settings["folds"]), int(settings["seed"]))
    networks = {
        number: Pretrained.of(state, path, str(settings["checkpoint"]))
        for number, (state, path) in enumerate(zip(states, checkpoints, strict=True))
    }
    channels, stored = networks[0].shape[0], labelled.images.shape[-1]
    if channels != stored:
        raise UserError(
            f"{checkpoints[0]} was trained on images of {channels} channels, but those of {task} have {stored}: train "
            "again"
        )
    data = Images(
        torch.from_numpy(labelled.images).movedim(-1, 1),
        torch.from_numpy(labelled.masks),
        torch.from_numpy(pd.Index(samples["iid"]).get_indexer(labelled.samples["iid"])),
        _genes(genes, pcs, samples, networks[0].settings, settings["modality"]),
    )
    modality, columns = settings["modality"], {}
    if data.genes is not None:
        columns = {number: one.columns(modality, data.genes.features, genes) for number, one in networks.items()}
    return Study(samples, data, found, networks, Labels.of(settings, task).classes, modality, columns)


def _genes(
    path: PathLike | None,
    pcs: PathLike | None,
    samples: pd.DataFrame,
    recipe: Mapping[str, object],
    modality: str | None,
) -> Genetics | None:
    if path is None:
        return None
    adjusted = modality in recipe.get("adjust", ())
    beside = read_components(pcs, int(recipe.get("adjust_pcs", 0))) if adjusted else None
    found = load_genetics(path, pd.Index(samples["iid"]), beside)
    log.info("%d of %d labelled samples have %s", int(found.present.sum()), len(samples), modality)
    return found


def _all(study: Study, settings: Mapping[str, object], seed: int) -> tuple[pd.DataFrame, dict]:
    """Counts of every sample, arm, share and class; and of each arm with most labels the samples that may be shown."""
    work = [
        (number, split, arm, share)
        for number, split in enumerate(study.splits)
        for arm in settings["arms"]
        for share in settings["shares"]
    ]
    rows, kept = [], {arm["name"]: {} for arm in settings["arms"]}
    for number, split, arm, share in tqdm(work, "fits", disable=None):
        iids = study.samples["iid"].to_numpy()
        # the same samples, order and views for every arm: arms are compared in pairs
        some = split.train[subset(iids[split.train], share, f"{settings['seed']}:{seed}")]
        entropy = np.random.SeedSequence([int(settings["seed"]), STAGE, seed, number, int(1e6 * share)])
        weights, order, views = (int(one) for one in entropy.generate_state(3))
        torch.manual_seed(weights)
        network = build(arm, study, split.network, settings)
        train, test = (np.flatnonzero(np.isin(study.data.sample.numpy(), part)) for part in (some, split.test))
        fit(
            network,
            study.data,
            train,
            len(study.classes) + 1,
            settings,
            arm["encoder"] == "pretrained",
            (order, views),
            arm["name"],
        )
        found = predict(network, study.data, test)
        counted = _counted(study, split, test, found)
        rows.append(counted.assign(arm=arm["name"], share=share, split=number, train=len(some)))
        if share == max(settings["shares"]):
            kept[arm["name"]] |= _kept(study, counted, test, found)  # not all predictions: they would fill memory
        log.info("%s, split %d, %d samples: done", arm["name"], number, len(some))
    return pd.concat(rows, ignore_index=True), kept


def build(arm: Mapping[str, object], study: Study, network: int, settings: Mapping[str, object]) -> nn.Module:
    """The network of an arm, new; the pixel scaler is always that of the pretraining."""
    learned, classes = study.networks[network], len(study.classes) + 1
    pixels, shape = learned.pixels(), tuple(study.data.pixels.shape[1:])
    if arm["network"] != "light":
        return Plain(pixels, {"unet": unet, "unetr": unetr}[arm["network"]](shape, classes))
    pretrained, genes = arm["encoder"] == "pretrained", None
    if arm["fusion"] != "none":
        encoder = learned.encoder(study.modality) if pretrained else learned.new_encoder(study.modality)
        genes = _branch(take_from(encoder, study.columns[network]), arm, study, learned)
    trunk = learned.trunk() if pretrained else learned.new_trunk()
    try:
        return Light(pixels, trunk, shape, classes, settings["width"], arm["fusion"], genes, arm["freeze"])
    except (RuntimeError, AssertionError):
        raise UserError(
            f"the network of {learned.where} does not take images of {' x '.join(map(str, shape[1:]))} pixels, but of "
            f"{' x '.join(map(str, learned.shape[1:]))}: drop size of the task"
        ) from None


def _branch(encoder: nn.Module, arm: Mapping[str, object], study: Study, learned: Pretrained) -> Genes:
    encoder.perturbed = False  # what pretraining swaps and draws to learn a contrast would here be a wrong sample's
    if arm["fusion"] == "film":
        return Genes(encoder, learned.settings["embedding"], tokens=False)
    if not hasattr(encoder, "tokens"):
        raise UserError(
            f"the arm {arm['name']} is of cross_attention, but the encoder of {study.modality} ({learned.where}) has "
            "no tokens to ask: write fusion: film"
        )
    return Genes(encoder, encoder.width, tokens=True)


def _counted(study: Study, split: Split, images: np.ndarray, predicted: torch.Tensor) -> pd.DataFrame:
    """Pixels by sample and class, summed over a sample's images."""
    found = counts(predicted, study.data.masks[images], len(study.classes) + 1)
    frame = pd.DataFrame(
        {
            "iid": np.repeat(study.samples["iid"].to_numpy()[study.data.sample[images].numpy()], len(study.classes)),
            "class": np.tile(study.classes, len(images)),
            **{name: found[:, :, place].ravel() for place, name in enumerate(("both", "predicted", "truth"))},
        }
    )
    return (
        frame.groupby(["iid", "class"], sort=False, as_index=False).sum().assign(network=split.network, seen=split.seen)
    )


def _best_median_worst(rows: pd.DataFrame) -> tuple[pd.Series, list[int]]:
    """Mean Dice over the classes by sample, best first, and the places of the three who are shown."""
    values = rows.assign(dice=scores.dice(rows["both"], rows["predicted"], rows["truth"]))
    dice = values.groupby("iid")["dice"].mean().sort_values(ascending=False, kind="stable")
    return dice, [0, (len(dice) - 1) // 2, len(dice) - 1]


def _kept(study: Study, rows: pd.DataFrame, images: np.ndarray, predicted: torch.Tensor) -> dict[str, Example]:
    """By sample: the best, the median and the worst of the tested samples of a fit, each with the first image."""
    dice, places = _best_median_worst(rows)
    samples = study.data.sample[images].numpy()
    kept = {}
    for iid, row in zip(
        dice.index[places], pd.Index(study.samples["iid"]).get_indexer(dice.index[places]), strict=True
    ):
        first = int(np.flatnonzero(samples == row)[0])
        kept[iid] = Example(int(images[first]), predicted[first].clone())  # a view would keep all of them
    return kept


def _examples(study: Study, rows: pd.DataFrame, kept: Mapping[str, Mapping[str, Example]]) -> dict[str, np.ndarray]:
    """`<arm>.images`, `.masks`, `.predicted` (3, sizes …) and `.dice` (3,) of the best, median and worst sample.

    The median one is, of those whom the splits kept, the one whose rank is nearest to the middle.
    """
    shown = {}
    most = rows[rows["share"] == rows["share"].max()]
    for arm, found in kept.items():
        dice, (best, middle, worst) = _best_median_worst(most[most["arm"] == arm])
        here = np.flatnonzero(dice.index.isin(found))
        places = [best, here[np.abs(here - middle).argmin()], worst]
        chosen = [found[iid] for iid in dice.index[places]]
        images = [one.image for one in chosen]
        shown |= {
            f"{arm}.images": study.data.pixels[images].movedim(1, -1).numpy(),
            f"{arm}.masks": study.data.masks[images].numpy(),
            f"{arm}.predicted": torch.stack([one.predicted for one in chosen]).numpy(),
            f"{arm}.dice": dice.to_numpy()[places],
        }
    return shown
