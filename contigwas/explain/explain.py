"""Attributions of a model, pooled over its networks; each network explains samples that it did not train on."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from contigwas.config.explain import DEEPLIFT, INTEGRATED_GRADIENTS
from contigwas.explain import selection
from contigwas.explain.accumulate import Sums, by_feature, by_modality, completeness
from contigwas.explain.attribution import MAX_ERROR, Attribution, Noise, deeplift, integrated_gradients
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
    """The files that an explanation reads; `modalities` by name, `pcs` if genetic components are regressed out."""

    images_npy: PathLike
    images_table: PathLike
    cohort: PathLike
    modalities: Mapping[str, PathLike]
    pcs: PathLike | None = None


@dataclass(frozen=True)
class ExplainedNetwork:
    """One network with the samples selected for it, and the trunk features (samples, features) of their images."""

    network: Network
    selected: selection.Selection
    photographs: Photographs
    features: Tensor
    files: Files

    @classmethod
    def of(cls, checkpoint: PathLike, files: Files, settings: Mapping[str, object], count: int) -> "ExplainedNetwork":
        """Open a checkpoint and select `count` samples. Raises UserError when the images have another size."""
        state = read_checkpoint(checkpoint)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = Network.of(state, checkpoint, settings["checkpoint"], device, files.modalities)
        images = first_images(files.images_table)
        candidates = selection.candidates(state, files.cohort, images)
        adjusted = [name for name, side in network.sides.items() if side.normaliser.slopes is not None]
        removed = selection.count_removed(state, files.cohort) if adjusted else 0
        if removed:
            log.warning(
                "fold %d: %d samples left the cohort after the network was trained: if the genetic components were "
                "recomputed since, they may differ from those that it regresses out of %s",
                network.fold,
                removed,
                ", ".join(adjusted),
            )
        present = {
            name: selection.has_modality(path, candidates, selection.components_of(files.pcs, network.recipe, name))
            for name, path in files.modalities.items()
        }
        selected = selection.select(candidates, present, settings["reference"], count, settings["seed"], network.fold)
        all_samples = pd.Index(selected.all_samples)
        photographs = load_photographs(files.images_npy, images[images["iid"].isin(all_samples)], all_samples)
        if list(photographs.shape) != list(state["shape"]):
            raise UserError(
                f"{checkpoint} was trained on images of another size than those of {files.images_npy}: run pretrain "
                "again"
            )
        return cls(network, selected, photographs, network.features(photographs), files)

    def levels(self, iid: str) -> Tensor:
        """Return levels 0 … 1 of a sample's image: (1, channels, sizes …), on the network's device."""
        image = torch.tensor([self.selected.all_samples.index(iid)])
        return self.photographs.gather(image).to(self.network.device).float() / 255

    def images(self, modality: str, iids: Sequence[str]) -> Tensor:
        """Return embeddings (samples, width) of the images of these samples."""
        rows = pd.Index(self.selected.all_samples).get_indexer(pd.Index(iids))
        return self.network.images(modality, self.features[torch.from_numpy(rows)])

    def inputs(self, modality: str, iids: list[str]) -> tuple[Tensor, Tensor]:
        """Return the normalised inputs (samples, kept) of these samples, and those for raw values of 0."""
        values = selection.read_values(self.files.modalities[modality], iids)
        components = selection.components_of(self.files.pcs, self.network.recipe, modality)
        side = self.network.sides[modality]
        return (side.inputs(values, iids, components), side.inputs(torch.zeros_like(values), iids, components))


@dataclass(frozen=True)
class ModalityContrast:
    """One network's contrast of a modality, with the baseline of its inputs."""

    opened: ExplainedNetwork
    name: str
    reference: Reference
    reference_inputs: Tensor
    baseline: str
    seed: int

    @classmethod
    def of(cls, opened: ExplainedNetwork, name: str, settings: Mapping[str, object]) -> "ModalityContrast":
        """Create the contrast with the network's reference batch."""
        iids = opened.selected.reference[name]
        inputs, _ = opened.inputs(name, iids)
        reference = opened.network.reference(name, opened.images(name, iids), inputs)
        return cls(opened, name, reference, inputs, settings["baseline"], settings["seed"])

    @property
    def side(self) -> Side:
        """The normaliser and encoder of the modality."""
        return self.opened.network.sides[self.name]

    def loss(self, genetics: Tensor, images: Tensor) -> Tensor:
        """Return the loss (samples,) of embeddings (samples, width) of both sides."""
        return self.reference.losses(images, genetics)

    def samples(self, iids: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs and baselines (samples, kept), and embeddings of images (samples, width)."""
        inputs, zero = self.opened.inputs(self.name, iids)
        if self.baseline == "zero":
            baselines = zero
        elif self.baseline == "sample":
            partners = [selection.partner(iid, self.opened.selected.reference[self.name], self.seed) for iid in iids]
            baselines = self.reference_inputs[torch.tensor(partners)]
        else:
            baselines = torch.zeros_like(inputs)
        return inputs, baselines, self.opened.images(self.name, iids)

    def attribute(
        self, method: str, samples: tuple[Tensor, Tensor, Tensor], settings: Mapping, seed: int
    ) -> Attribution:
        """Return attributions by one method, for the result of `samples`. Raises UserError when they are not finite."""
        arguments = (self.side.encoder, self.loss, *samples, settings["steps"], self.side.rows)
        if method == DEEPLIFT:
            found = deeplift(*arguments)
        elif method == INTEGRATED_GRADIENTS:
            noise = settings["noise"]
            noise = Noise(noise["copies"], noise["sd"], seed) if noise["copies"] else None
            found = integrated_gradients(*arguments, noise)
        else:
            raise ValueError(f"unknown method {method}")
        self.opened.network.finite(found.values, "attributions")
        return found

    def chunks(self, steps: int) -> Iterator[list[str]]:
        """Yield the samples to explain, as many at a time as fit into memory."""
        iids, size = self.opened.selected.explained[self.name], max(1, self.side.rows // steps)
        yield from (iids[start : start + size] for start in range(0, len(iids), size))


def shares(samples: int, networks: int) -> list[int]:
    """Return the number of samples that each network explains.

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
    """Write the attributions of a model over samples: tables by feature, by modality, and of completeness errors.

    `settings`: `methods baseline n_samples reference steps noise` of the block explain, `left_out` (methods that do
    not support the model's encoders), `checkpoint` (last or best), `seed` and `math_threads`. The networks share the
    `n_samples` samples. Raises UserError when there are too few samples, or when a network gives values that are not
    finite.
    """
    for method in settings["left_out"]:
        log.warning("%s does not support the encoders of this model and is skipped", method)
    described = {name: describe(path) for name, path in files.modalities.items()}
    sums = {(method, name): Sums.of(len(table)) for method in settings["methods"] for name, table in described.items()}
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory("there is too little memory to explain the model: request more memory"),
    ):
        n_selected = 0
        for checkpoint, count in zip(checkpoints, shares(settings["n_samples"], len(checkpoints)), strict=True):
            opened = ExplainedNetwork.of(checkpoint, files, settings, count)
            n_selected += len(opened.selected.chosen)
            for name in files.modalities:
                _add(ModalityContrast.of(opened, name, settings), settings, sums)
    for (_, name), one in sums.items():
        if len(one.samples) < 2 and n_selected < settings["n_samples"]:
            raise UserError(
                f"config: explain.n_samples is {settings['n_samples']}, but the reference leaves {n_selected} samples, "
                f"of which {len(one.samples)} have {name}: lower explain.reference"
            )
        if len(one.samples) < 2:
            raise UserError(
                f"config: explain.n_samples is {settings['n_samples']}, but only {len(one.samples)} of these samples "
                f"have {name}: raise it"
            )
    features = [by_feature(one, *key, described[key[1]]) for key, one in sums.items()]
    write_parquet(pd.concat(features, ignore_index=True), output_features)
    write_tsv(pd.DataFrame([by_modality(one, *key) for key, one in sums.items()]), output_modalities)
    complete = pd.DataFrame([completeness(one, *key) for key, one in sums.items()])
    _log_completeness(complete, sums, described)
    write_tsv(complete, output_completeness)


def _add(modality: ModalityContrast, settings: Mapping[str, object], sums: Mapping[tuple[str, str], Sums]) -> None:
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


def _log_completeness(
    complete: pd.DataFrame, sums: Mapping[tuple[str, str], Sums], described: Mapping[str, pd.DataFrame]
) -> None:
    """Log the completeness errors, and warn about those above `MAX_ERROR`."""
    for row in complete.itertuples(index=False):
        one = sums[row.method, row.modality]
        unused = len(described[row.modality]) - int(one.used.sum())
        log.info("%s of %s: %d samples, completeness error %.2g (maximum %.2g), at most %d steps; %d features that no "
                 "network uses are excluded", row.method, row.modality, row.n_samples, row.mean_error, row.max_error,
                 one.steps, unused)  # fmt: skip
        if row.max_error > MAX_ERROR:
            log.warning(
                "%s of %s: the sum of attributions differs by up to %.1f %% from the difference of the losses after %d "
                "steps: raise explain.steps",
                row.method,
                row.modality,
                100 * row.max_error,
                one.steps,
            )
