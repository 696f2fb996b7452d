"""The images of an external set, decoded as those of a study are, and a network's features of them."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from contigwas.images.array import Photographs, load_photographs
from contigwas.images.store import write_images
from contigwas.images.table import read_images
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint
from contigwas.runtime.atomic_files import PathLike, private_folder, write_tsv
from contigwas.runtime.memory import enough_memory
from contigwas.tables.anndata_io import write_modality

log = logging.getLogger(__name__)
BATCH = 64  # images at most that a network sees at a time without learning,
PIXELS = 2**22  # and pixels of all of them together


def write_pictures(
    labels: PathLike,
    settings: Mapping[str, object],
    output_listed: PathLike,
    output_npy: PathLike,
    output_table: PathLike,
    output_left_out: PathLike,
) -> None:
    """Decode the images of everyone in `labels` (as `write_labels` wrote them, with source).

    `settings` has size, crop, dimensions and min_sd. `output_listed` is the table that `write_images` reads; the others
    are as it writes them, all in a private folder.
    """
    samples = pd.read_parquet(labels)
    private_folder(Path(output_listed).parent)
    write_tsv(samples[["iid", "source"]].rename(columns={"source": "path"}), output_listed)
    qc = {"min_sd": settings["min_sd"], "darkest": 0.0, "brightest": 0.0}
    write_images(output_listed, None, {**settings, "qc": qc}, output_npy, output_table, output_left_out)


def load_pictures(npy: PathLike, table: PathLike, iids: pd.Index) -> tuple[pd.Index, Photographs]:
    """Those of `iids` who have a usable image, in their order, and the images."""
    images = read_images(table)
    there = iids[iids.isin(images["iid"])]
    return there, load_photographs(npy, images[images["iid"].isin(there)], there)


def write_features(
    npy: PathLike,
    table: PathLike,
    checkpoint: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Features of the images of an external set from the network of `checkpoint`: X float32 (samples, features).

    `settings` has `checkpoint` (last or best) and `layer` (trunk, or a head) of the block embed, and `math_threads`.
    Images of another size than the pretraining's are let through: most networks take them.
    """
    images = read_images(table)
    samples, photographs = load_pictures(npy, table, pd.Index(images["iid"].unique()))
    learned = Pretrained.of(read_checkpoint(checkpoint), checkpoint, str(settings["checkpoint"]))
    layer = str(settings["layer"])
    parts = [learned.pixels(), learned.trunk(), *([learned.head(layer)] if layer != "trunk" else [])]
    network = nn.Sequential(*parts).eval().to(memory_format=channels_last(photographs.shape))
    size = " x ".join(map(str, photographs.shape[1:]))
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory(f"there is too little memory to embed images of {size} pixels: ask for more, or lower size"),
    ):
        found = of_samples(seen_by(network, photographs), photographs)
    features = pd.DataFrame(index=[f"F{number}" for number in range(1, found.shape[1] + 1)])
    private_folder(Path(output).parent)
    write_modality(output, found.astype(np.float32), samples, features, {"checkpoint": str(checkpoint)})
    log.info("%d features of %d images of %d samples", found.shape[1], len(photographs.row), len(samples))


def seen_by(network: nn.Module, photographs: Photographs, images: torch.Tensor | None = None) -> np.ndarray:
    """What a network says of `images` (all where None): float64 (images, outputs). It is left on its device."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    images = torch.arange(len(photographs.row)) if images is None else images
    at_once = max(1, min(BATCH, PIXELS // math.prod(photographs.shape[1:])))
    found = []
    with torch.inference_mode():
        for part in images.split(at_once):
            levels = photographs.gather(part).to(device, non_blocking=True).float() / 255
            found.append(network(levels).float().cpu())
    return torch.cat(found).numpy().astype(np.float64)


def images_of(samples: np.ndarray, photographs: Photographs) -> torch.Tensor:
    """Positions of all images of some samples (positions), sample after sample."""
    return torch.cat([photographs.first[one] + torch.arange(int(photographs.count[one])) for one in samples.tolist()])


def of_samples(values: np.ndarray, photographs: Photographs, samples: np.ndarray | None = None) -> np.ndarray:
    """The mean of `values` (images, outputs), sample after sample, over each sample's images: (samples, outputs)."""
    count = photographs.count.numpy() if samples is None else photographs.count.numpy()[samples]
    starts = np.cumsum(count) - count
    return np.add.reduceat(values, starts, axis=0) / count[:, None]
