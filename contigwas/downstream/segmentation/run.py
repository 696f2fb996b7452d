"""Fit all arms of a segmentation with one seed, and count pixels of the predictions for the test samples."""

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
from contigwas.downstream.segmentation.fit import Images, count_pixels, fit, predict
from contigwas.downstream.segmentation.labelled_images import Labelled, read_labelled
from contigwas.downstream.segmentation.masks import Labels
from contigwas.downstream.segmentation.networks import Genes, Light, Plain, unet, unetr
from contigwas.downstream.splits import Split, splits, subset
from contigwas.pretrain.data import Genetics, load_genetics, read_components
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint, take_from
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet
from contigwas.runtime.disk import report_disk_errors
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory

log = logging.getLogger(__name__)
STAGE = 8801  # part of the random seeds, so that no two stages share random numbers


@dataclass(frozen=True)
class SegmentationData:
    """Labelled samples of a task and the networks of a model.

    samples: table with the columns iid and family, one row per sample; columns: for each network, the columns of the
    modality's file that its encoder uses (see `Pretrained.columns`).
    """

    samples: pd.DataFrame
    images: Images
    splits: list[Split]
    networks: dict[int, Pretrained]
    classes: tuple[str, ...]
    modality: str | None
    columns: dict[int, torch.Tensor]


@dataclass(frozen=True)
class Example:
    """Position of an image in the data, and its prediction: uint8 (sizes …)."""

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
    """Fit every arm on every share of the labels in every split, and write the results for the test samples.

    `labelled` are the outputs samples, images and masks of `write_labelled`; `checkpoints` are the networks by fold;
    `genes` is the modality that arms fuse; `pcs` are the genetic components, if the model regresses them out.
    `settings` is the block of the task with `arms`, `modality`, `seed` (of the config), `math_threads`, `bf16` and
    `checkpoint` (last or best). `seed` is the number of the repeat.

    `output_scores`: one row per sample, arm, share and class: `iid network train seen both predicted truth` (pixels).
    `output_examples`: image, mask and prediction of the best, median and worst sample of each arm. Raises the errors of
    `splits`, and UserError for a size that the trunk does not accept and if memory is insufficient.
    """
    with deterministic(int(settings["math_threads"])):
        data = load(task, read_labelled(**labelled), checkpoints, genes, pcs, settings)
        with enough_memory(
            f"{task}: too little memory to train on {settings['batch']} images of {settings['size']} pixels per side: "
            "lower batch or size of the task"
        ):
            rows, kept = _fit_all(data, settings, seed)
    private_folder(Path(output_scores).parent)
    shown = _select_examples(data, rows, kept)
    with report_disk_errors(output_examples), replacing(output_examples) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **shown)
    write_parquet(rows, output_scores)


def load(
    task: str,
    labelled: Labelled,
    checkpoints: Sequence[PathLike],
    genes: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
) -> SegmentationData:
    """Return the data that all fits share."""
    samples = labelled.samples.drop_duplicates("iid")[["iid", "family"]].reset_index(drop=True)
    states = [read_checkpoint(path) for path in checkpoints]
    cohort = bool(settings["cohort"])
    assigned = splits(samples, states, settings["table"], cohort, int(settings["folds"]), int(settings["seed"]))
    networks = {
        number: Pretrained.of(state, path, str(settings["checkpoint"]))
        for number, (state, path) in enumerate(zip(states, checkpoints, strict=True))
    }
    channels, stored = networks[0].shape[0], labelled.images.shape[-1]
    if channels != stored:
        raise UserError(
            f"{checkpoints[0]} was trained on images with {channels} channels, but those of {task} have {stored}: "
            "train the model again"
        )
    images = Images(
        torch.from_numpy(labelled.images).movedim(-1, 1),
        torch.from_numpy(labelled.masks),
        torch.from_numpy(pd.Index(samples["iid"]).get_indexer(labelled.samples["iid"])),
        _load_genes(genes, pcs, samples, networks[0].settings, settings["modality"]),
    )
    modality, columns = settings["modality"], {}
    if images.genes is not None:
        columns = {number: one.columns(modality, images.genes.features, genes) for number, one in networks.items()}
    return SegmentationData(samples, images, assigned, networks, Labels.of(settings, task).classes, modality, columns)


def _load_genes(
    path: PathLike | None,
    pcs: PathLike | None,
    samples: pd.DataFrame,
    recipe: Mapping[str, object],
    modality: str | None,
) -> Genetics | None:
    if path is None:
        return None
    adjusted = modality in recipe.get("adjust", ())
    components = read_components(pcs, int(recipe.get("adjust_pcs", 0))) if adjusted else None
    genetics = load_genetics(path, pd.Index(samples["iid"]), components)
    log.info("%d of %d labelled samples have %s", int(genetics.present.sum()), len(samples), modality)
    return genetics


def _fit_all(data: SegmentationData, settings: Mapping[str, object], seed: int) -> tuple[pd.DataFrame, dict]:
    """Return pixel counts by sample, arm, share and class, and candidates for the examples of each arm.

    Candidates are from the fits with the largest share of labels.
    """
    work = [
        (number, split, arm, share)
        for number, split in enumerate(data.splits)
        for arm in settings["arms"]
        for share in settings["shares"]
    ]
    rows, kept = [], {arm["name"]: {} for arm in settings["arms"]}
    for number, split, arm, share in tqdm(work, "fits", disable=None):
        iids = data.samples["iid"].to_numpy()
        # all arms have the same samples, order and views, because arms are compared in pairs
        some = split.train[subset(iids[split.train], share, f"{settings['seed']}:{seed}")]
        entropy = np.random.SeedSequence([int(settings["seed"]), STAGE, seed, number, int(1e6 * share)])
        weights, order, views = (int(one) for one in entropy.generate_state(3))
        torch.manual_seed(weights)
        network = build(arm, data, split.network, settings)
        train, test = (np.flatnonzero(np.isin(data.images.sample.numpy(), part)) for part in (some, split.test))
        fit(
            network,
            data.images,
            train,
            len(data.classes) + 1,
            settings,
            arm["encoder"] == "pretrained",
            (order, views),
            arm["name"],
        )
        predicted = predict(network, data.images, test)
        counted = _count_by_sample(data, split, test, predicted)
        rows.append(counted.assign(arm=arm["name"], share=share, split=number, train=len(some)))
        if share == max(settings["shares"]):
            # only the examples are kept: all predictions would fill the memory
            kept[arm["name"]] |= _keep_examples(data, counted, test, predicted)
        log.info("finished arm %s, split %d, %d training samples", arm["name"], number, len(some))
    return pd.concat(rows, ignore_index=True), kept


def build(arm: Mapping[str, object], data: SegmentationData, network: int, settings: Mapping[str, object]) -> nn.Module:
    """Return a new network of an arm; the pixel scaler is always that of the pretraining.

    Raises UserError if the trunk does not accept the size of the images.
    """
    learned, classes = data.networks[network], len(data.classes) + 1
    pixels, shape = learned.pixels(), tuple(data.images.pixels.shape[1:])
    if arm["network"] != "light":
        return Plain(pixels, {"unet": unet, "unetr": unetr}[arm["network"]](shape, classes))
    pretrained, genes = arm["encoder"] == "pretrained", None
    if arm["fusion"] != "none":
        encoder = learned.encoder(data.modality) if pretrained else learned.new_encoder(data.modality)
        genes = _gene_branch(take_from(encoder, data.columns[network]), arm, data, learned)
    trunk = learned.trunk() if pretrained else learned.new_trunk()
    try:
        return Light(pixels, trunk, shape, classes, settings["width"], arm["fusion"], genes, arm["freeze"])
    except (RuntimeError, AssertionError):
        raise UserError(
            f"{learned.path}: the network takes images of {' x '.join(map(str, learned.shape[1:]))} pixels, but those "
            f"of the task have {' x '.join(map(str, shape[1:]))}. Remove size from the task."
        ) from None


def _gene_branch(encoder: nn.Module, arm: Mapping[str, object], data: SegmentationData, learned: Pretrained) -> Genes:
    encoder.perturbed = False  # perturbations of the contrastive pretraining would give values of another sample
    if arm["fusion"] == "film":
        return Genes(encoder, learned.settings["embedding"], tokens=False)
    if not hasattr(encoder, "tokens"):
        raise UserError(
            f"arm {arm['name']} has fusion: cross_attention, but the encoder of {data.modality} ({learned.path}) has "
            "no tokens. Set fusion: film."
        )
    return Genes(encoder, encoder.width, tokens=True)


def _count_by_sample(data: SegmentationData, split: Split, images: np.ndarray, predicted: torch.Tensor) -> pd.DataFrame:
    """Return counts of pixels by sample and class, summed over the images of a sample."""
    pixels = count_pixels(predicted, data.images.masks[images], len(data.classes) + 1)
    frame = pd.DataFrame(
        {
            "iid": np.repeat(data.samples["iid"].to_numpy()[data.images.sample[images].numpy()], len(data.classes)),
            "class": np.tile(data.classes, len(images)),
            **{name: pixels[:, :, place].ravel() for place, name in enumerate(("both", "predicted", "truth"))},
        }
    )
    return (
        frame.groupby(["iid", "class"], sort=False, as_index=False).sum().assign(network=split.network, seen=split.seen)
    )


def _best_median_worst(rows: pd.DataFrame) -> tuple[pd.Series, list[int]]:
    """Return the mean Dice over classes by sample, descending, and the positions of the best, median and worst."""
    values = rows.assign(dice=scores.dice(rows["both"], rows["predicted"], rows["truth"]))
    dice = values.groupby("iid")["dice"].mean().sort_values(ascending=False, kind="stable")
    return dice, [0, (len(dice) - 1) // 2, len(dice) - 1]


def _keep_examples(
    data: SegmentationData, rows: pd.DataFrame, images: np.ndarray, predicted: torch.Tensor
) -> dict[str, Example]:
    """Return the first image of the best, median and worst test sample of a fit, by sample."""
    dice, places = _best_median_worst(rows)
    samples = data.images.sample[images].numpy()
    kept = {}
    for iid, row in zip(dice.index[places], pd.Index(data.samples["iid"]).get_indexer(dice.index[places]), strict=True):
        first = int(np.flatnonzero(samples == row)[0])
        kept[iid] = Example(int(images[first]), predicted[first].clone())  # a view would keep all predictions in memory
    return kept


def _select_examples(
    data: SegmentationData, rows: pd.DataFrame, kept: Mapping[str, Mapping[str, Example]]
) -> dict[str, np.ndarray]:
    """Return `<arm>.images`, `.masks`, `.predicted` (3, sizes …) and `.dice` (3,) of the best, median and worst sample.

    The median sample is the one nearest to the median rank among the candidates of all splits.
    """
    shown = {}
    largest_share = rows[rows["share"] == rows["share"].max()]
    for arm, candidates in kept.items():
        dice, (best, middle, worst) = _best_median_worst(largest_share[largest_share["arm"] == arm])
        ranks = np.flatnonzero(dice.index.isin(candidates))
        places = [best, ranks[np.abs(ranks - middle).argmin()], worst]
        chosen = [candidates[iid] for iid in dice.index[places]]
        images = [one.image for one in chosen]
        shown |= {
            f"{arm}.images": data.images.pixels[images].movedim(1, -1).numpy(),
            f"{arm}.masks": data.images.masks[images].numpy(),
            f"{arm}.predicted": torch.stack([one.predicted for one in chosen]).numpy(),
            f"{arm}.dice": dice.to_numpy()[places],
        }
    return shown
