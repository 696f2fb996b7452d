"""Images of an external labelled set: decoding as in the images stage, and features from a pretrained network."""

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
MAX_IMAGES = 64  # per forward pass
MAX_PIXELS = 2**22  # per forward pass


def write_task_images(
    labels: PathLike,
    settings: Mapping[str, object],
    output_list: PathLike,
    output_npy: PathLike,
    output_table: PathLike,
    output_left_out: PathLike,
) -> None:
    """Decode the images of all samples in `labels` (the output of `write_labels`, with the column source).

    `settings` has size, crop, dimensions and min_sd. `output_list` is the table of images that `write_images` reads;
    the other outputs are those of `write_images`. All are in a private folder.
    """
    samples = pd.read_parquet(labels)
    private_folder(Path(output_list).parent)
    write_tsv(samples[["iid", "source"]].rename(columns={"source": "path"}), output_list)
    qc = {"min_sd": settings["min_sd"], "darkest": 0.0, "brightest": 0.0}
    write_images(output_list, None, {**settings, "qc": qc}, output_npy, output_table, output_left_out)


def load_task_images(npy: PathLike, table: PathLike, iids: pd.Index) -> tuple[pd.Index, Photographs]:
    """Return those of `iids` that have a usable image, in the given order, and their images."""
    images = read_images(table)
    with_image = iids[iids.isin(images["iid"])]
    return with_image, load_photographs(npy, images[images["iid"].isin(with_image)], with_image)


def write_features(
    npy: PathLike,
    table: PathLike,
    checkpoint: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write features of the images of an external set from the network of `checkpoint`: X float32 (samples, features).

    `settings` has `checkpoint` (last or best) and `layer` (trunk, or a head) of the block embed, and `math_threads`.
    Images can have another size than those of the pretraining, which most networks accept. Raises UserError if memory
    is insufficient.
    """
    images = read_images(table)
    samples, photographs = load_task_images(npy, table, pd.Index(images["iid"].unique()))
    learned = Pretrained.of(read_checkpoint(checkpoint), checkpoint, str(settings["checkpoint"]))
    layer = str(settings["layer"])
    parts = [learned.pixels(), learned.trunk(), *([learned.head(layer)] if layer != "trunk" else [])]
    network = nn.Sequential(*parts).eval().to(memory_format=channels_last(photographs.shape))
    size = " x ".join(map(str, photographs.shape[1:]))
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory(f"too little memory to embed images of {size} pixels: request more memory, or lower size"),
    ):
        embedded = mean_over_images(network_outputs(network, photographs), photographs)
    features = pd.DataFrame(index=[f"F{number}" for number in range(1, embedded.shape[1] + 1)])
    private_folder(Path(output).parent)
    write_modality(output, embedded.astype(np.float32), samples, features, {"checkpoint": str(checkpoint)})
    log.info("%d features of %d images of %d samples", embedded.shape[1], len(photographs.row), len(samples))


def network_outputs(network: nn.Module, photographs: Photographs, images: torch.Tensor | None = None) -> np.ndarray:
    """Return the outputs of a network for `images` (None: all): float64 (images, outputs).

    The network is moved to the GPU, if there is one, and stays there.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    images = torch.arange(len(photographs.row)) if images is None else images
    batch = max(1, min(MAX_IMAGES, MAX_PIXELS // math.prod(photographs.shape[1:])))
    outputs = []
    with torch.inference_mode():
        for part in images.split(batch):
            levels = photographs.gather(part).to(device, non_blocking=True).float() / 255
            outputs.append(network(levels).float().cpu())
    return torch.cat(outputs).numpy().astype(np.float64)


def image_positions(samples: np.ndarray, photographs: Photographs) -> torch.Tensor:
    """Return positions of all images of `samples` (positions), sample by sample."""
    return torch.cat([photographs.first[one] + torch.arange(int(photographs.count[one])) for one in samples.tolist()])


def mean_over_images(values: np.ndarray, photographs: Photographs, samples: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of `values` (images, outputs) over the images of each sample: (samples, outputs).

    Images are ordered sample by sample, for all samples or for those at the positions `samples`.
    """
    count = photographs.count.numpy() if samples is None else photographs.count.numpy()[samples]
    starts = np.cumsum(count) - count
    return np.add.reduceat(values, starts, axis=0) / count[:, None]
