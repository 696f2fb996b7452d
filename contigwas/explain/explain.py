"""Attributions of a model, pooled over its networks, each of which explains samples that it did not train on."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from contigwas.config.explain import DEEPLIFT, INTEGRATED_GRADIENTS
from contigwas.explain import selection as drawing
from contigwas.explain.accumulate import Sums, by_feature, by_modality, completeness
from contigwas.explain.attribution import COMPLETE, Attribution, Noise, deeplift, integrated_gradients
from contigwas.explain.contrast import Reference
from contigwas.explain.feature_names import describe
from contigwas.explain.network import Network, Side
from contigwas.images.array import Photographs, load_photographs
from contigwas.images.table import first_images
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.pretrained import read_checkpoint
from contigwas.runtime.atomic_files import PathLike, write_parquet, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory
from contigwas.samples.folds import stable_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What an explanation reads: images, cohort, modalities by name, and the components where some are taken out."""

    images_npy: PathLike
    images_table: PathLike
    cohort: PathLike
    modalities: Mapping[str, PathLike]
    pcs: PathLike | None = None


@dataclass(frozen=True)
class Opened:
    """One network with the samples that are drawn for it, and the trunk's features (samples, features) of their images."""

    network: Network
    drawn: drawing.Drawn
    photographs: Photographs
    features: Tensor
    files: Files

    @classmethod
    def of(cls, checkpoint: PathLike, files: Files, settings: Mapping[str, object], count: int) -> "Opened":
        """Of a checkpoint, with `count` samples to explain."""
        state = read_checkpoint(checkpoint)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = Network.of(state, checkpoint, settings["checkpoint"], device, files.modalities)
        images = first_images(files.images_table)
        candidates = drawing.candidates(state, files.cohort, images)
        adjusted = [name for name, side in network.sides.items() if side.normaliser.slopes is not None]
        gone = drawing.left_since(state, files.cohort) if adjusted else 0
        if gone:
            log.warning(
                "fold %d: %d samples left the cohort after the network was trained: if the genetic components were made "
                "again since, they may differ from those that it takes out of %s",
                network.fold,
                gone,
                ", ".join(adjusted),
            )
        present = {
            name: drawing.who_has(path, candidates, drawing.components_of(files.pcs, network.recipe, name))
            for name, path in files.modalities.items()
        }
        drawn = drawing.draw(candidates, present, settings["reference"], count, settings["seed"], network.fold)
        everyone = pd.Index(drawn.everyone)
        photographs = load_photographs(files.images_npy, images[images["iid"].isin(everyone)], everyone)
        if list(photographs.shape) != list(state["shape"]):
            raise UserError(
                f"{checkpoint} was trained on images of another size than {files.images_npy} holds: train again"
            )
        return cls(network, drawn, photographs, network.features(photographs), files)

    def levels(self, iid: str) -> Tensor:
        """Levels 0 … 1 of a sample's image: (1, channels, sizes …), on the network's device."""
        image = torch.tensor([self.drawn.everyone.index(iid)])
        return self.photographs.gather(image).to(self.network.device).float() / 255

    def images(self, modality: str, iids: Sequence[str]) -> Tensor:
        """Embeddings (samples, width) of these samples' images."""
        rows = pd.Index(self.drawn.everyone).get_indexer(pd.Index(iids))
        return self.network.images(modality, self.features[torch.from_numpy(rows)])

    def inputs(self, modality: str, iids: list[str]) -> tuple[Tensor, Tensor]:
        """Of these samples what enters the encoder (samples, kept), and what would if every raw value were 0."""
        values = drawing.read_values(self.files.modalities[modality], iids)
        components = drawing.components_of(self.files.pcs, self.network.recipe, modality)
        side = self.network.sides[modality]
        return (side.inputs(values, iids, components), side.inputs(torch.zeros_like(values), iids, components))


@dataclass(frozen=True)
class Modality:
    """One network's contrast of a modality, with what its samples' inputs are compared with."""

    opened: Opened
    name: str
    reference: Reference
    reference_inputs: Tensor
    baseline: str
    seed: int

    @classmethod
    def of(cls, opened: Opened, name: str, settings: Mapping[str, object]) -> "Modality":
        """With the reference batch of the network."""
        iids = opened.drawn.reference[name]
        inputs, _ = opened.inputs(name, iids)
        reference = opened.network.reference(name, opened.images(name, iids), inputs)
        return cls(opened, name, reference, inputs, settings["baseline"], settings["seed"])

    @property
    def side(self) -> Side:
        """The encoder."""
        return self.opened.network.sides[self.name]

    def loss(self, genetics: Tensor, images: Tensor) -> Tensor:
        """Of embeddings (samples, width) of both sides: (samples,)."""
        return self.reference.losses(images, genetics)

    def samples(self, iids: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs and baselines (samples, kept), and embeddings of images (samples, width)."""
        inputs, zero = self.opened.inputs(self.name, iids)
        if self.baseline == "zero":
            baselines = zero
        elif self.baseline == "sample":
            drawn = [drawing.partner(one, self.opened.drawn.reference[self.name], self.seed) for one in iids]
            baselines = self.reference_inputs[torch.tensor(drawn)]
        else:
            baselines = torch.zeros_like(inputs)
        return inputs, baselines, self.opened.images(self.name, iids)

    def attribute(
        self, method: str, samples: tuple[Tensor, Tensor, Tensor], settings: Mapping, seed: int
    ) -> Attribution:
        """By one method, of samples as `samples` gives them. Raises UserError for attributions that are no numbers."""
        arguments = (self.side.encoder, self.loss, *samples, settings["steps"], self.side.rows)
        if method == DEEPLIFT:
            found = deeplift(*arguments)
        elif method == INTEGRATED_GRADIENTS:
            noise = settings["noise"]
            noise = Noise(noise["samples"], noise["sd"], seed) if noise["samples"] else None
            found = integrated_gradients(*arguments, noise)
        else:
            raise ValueError(f"no method {method}")
        self.opened.network.finite(found.values, "attributions")
        return found

    def chunks(self, steps: int) -> Iterator[list[str]]:
        """The samples to explain, as many at a time as memory holds."""
        iids, size = self.opened.drawn.explained[self.name], max(1, self.side.rows // steps)
        yield from (iids[start : start + size] for start in range(0, len(iids), size))


def shares(samples: int, networks: int) -> list[int]:
    """How many of some samples each network explains.

    >>> shares(8, 3)
    [3, 3, 2]
    """
    return [samples // networks + (number < samples % networks) for number in range(networks)]


def explain(
    checkpoints: Sequence[PathLike],
    files: Files,
    settings: Mapping[str, object],
    output_features: PathLike,
    output_modalities: PathLike,
    output_completeness: PathLike,
) -> None:
    """Write the attributions of a model, over samples: one row a feature, one a modality, and how complete they are.

    `settings`: `methods baseline samples reference steps samples sd` of the block explain, `left_out` (methods that the
    model's encoders cannot have), `checkpoint` (last or best), `seed` and `math_threads`. `samples` are shared among the
    networks. Raises UserError where there are too few, or for a network that gives no numbers.
    """
    for method in settings["left_out"]:
        log.warning("%s has no rule for the encoders of this model and is left out", method)
    described = {name: describe(path) for name, path in files.modalities.items()}
    sums = {(method, name): Sums.of(len(table)) for method in settings["methods"] for name, table in described.items()}
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory("there is too little memory to explain the model: ask for more"),
    ):
        drawn = 0
        for checkpoint, count in zip(checkpoints, shares(settings["n_samples"], len(checkpoints)), strict=True):
            opened = Opened.of(checkpoint, files, settings, count)
            drawn += len(opened.drawn.chosen)
            for name in files.modalities:
                _add(Modality.of(opened, name, settings), settings, sums)
    for (_, name), one in sums.items():
        if len(one.samples) < 2 and drawn < settings["n_samples"]:
            raise UserError(
                f"config: explain.n_samples is {settings['n_samples']}, but the reference leaves {drawn}, of whom "
                f"{len(one.samples)} have {name}: lower explain.reference"
            )
        if len(one.samples) < 2:
            raise UserError(
                f"config: explain.n_samples is {settings['n_samples']}, of whom {len(one.samples)} have {name}: raise it"
            )
    features = [by_feature(one, *key, described[key[1]]) for key, one in sums.items()]
    write_parquet(pd.concat(features, ignore_index=True), output_features)
    write_tsv(pd.DataFrame([by_modality(one, *key) for key, one in sums.items()]), output_modalities)
    complete = pd.DataFrame([completeness(one, *key) for key, one in sums.items()])
    _tell(complete, sums, described)
    write_tsv(complete, output_completeness)


def _add(modality: Modality, settings: Mapping[str, object], sums: Mapping[tuple[str, str], Sums]) -> None:
    """Add one network's samples to the sums of every method."""
    fold, columns = modality.opened.network.fold, modality.side.columns
    error = {method: [] for method in settings["methods"]}
    difference = {method: [] for method in settings["methods"]}
    chunks = [*modality.chunks(settings["steps"])]
    if not chunks:
        return
    for number, iids in enumerate(tqdm(chunks, f"explain {modality.name}", disable=None)):
        samples = modality.samples(iids)
        seed = stable_hash(f"{settings['seed']}:{fold}:{modality.name}:{number}") % 2**32
        for method in settings["methods"]:
            found = modality.attribute(method, samples, settings, seed)
            sums[method, modality.name].add(found, columns)
            error[method].append(found.error.cpu())
            difference[method].append(found.difference.cpu())
    for method in settings["methods"]:
        sums[method, modality.name].close(error[method], difference[method])


def _tell(complete: pd.DataFrame, sums: Mapping[tuple[str, str], Sums], described: Mapping[str, pd.DataFrame]) -> None:
    for row in complete.itertuples(index=False):
        one = sums[row.method, row.modality]
        unused = len(described[row.modality]) - int(one.used.sum())
        log.info("%s of %s: %d samples, completeness error %.2g (largest %.2g), %d steps at most; %d features that no "
                 "network uses are left out", row.method, row.modality, row.samples, row.mean_error, row.max_error,
                 one.steps, unused)  # fmt: skip
        if row.max_error > COMPLETE:
            log.warning(
                "%s of %s: attributions miss up to %.1f %% of the difference of the losses after %d steps: raise "
                "explain.steps",
                row.method,
                row.modality,
                100 * row.max_error,
                one.steps,
            )
