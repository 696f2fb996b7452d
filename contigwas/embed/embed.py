"""Compute image features of all samples with a usable image, averaged over the images of a sample."""

import json
import logging
import math
from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from contigwas.images.array import Photographs, load_photographs
from contigwas.images.table import read_images
from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.data import DEVICE_SHARE, Batch, prefetch
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.precision import exactly
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint
from contigwas.pretrain.roles import NEW, ROLES, UNUSED, known_roles, roles_of
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory
from contigwas.samples.cohort import read_included
from contigwas.samples.folds import stable_hash
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)
BATCH = 256  # maximum images per batch
PIXELS = {"cpu": 2**22, "cuda": 2**26}  # maximum pixels per batch, so that activations need at most a few GB


def embed(
    checkpoint: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    other_cohort: bool = False,
) -> None:
    """Embed all samples of the cohort with the network of `checkpoint` and write an .h5ad, one row per sample.

    X is float32 (samples, features): the pooled features of the last stage of the trunk, averaged over the images of a
    sample. obs: role (train, validation or heldout in the training of this network) and n_images.

    `settings` is the block `embed` with `math_threads`: `checkpoint` (last or best), `augment` (the number of random
    views that are averaged with the original image) and `layer` (`trunk`, or a modality, whose head then gives the
    features). With `other_cohort`, samples that were not in the training have the role new.

    Raises UserError when the file is not a checkpoint, does not fit its own settings or has no such head, when the
    images have another size, or when a feature is not finite.
    """
    state = read_checkpoint(checkpoint)
    samples = read_included(cohort)
    images = read_images(images_table)
    require_overlap(samples["iid"], images["iid"].unique(), "the cohort", f"the images ({images_table})")
    samples = samples[samples["iid"].isin(images["iid"])].reset_index(drop=True)
    photographs = load_photographs(images_npy, images, pd.Index(samples["iid"]))
    if list(photographs.shape) != list(state["shape"]):
        old, new = (" x ".join(map(str, shape[1:])) for shape in (state["shape"], photographs.shape))
        raise UserError(
            f"{checkpoint} was trained on images of {old} pixels with {state['shape'][0]} channels, but the images of "
            f"{images_npy} have {new} pixels with {photographs.shape[0]} channels: run pretrain again, or decode the "
            "images with the former images.size"
        )
    sample_of_image = torch.repeat_interleave(torch.arange(len(samples)), photographs.count)
    number = torch.arange(len(sample_of_image)) - photographs.first[sample_of_image]
    names = [
        f"{samples['iid'][sample]}:{image}"
        for sample, image in zip(sample_of_image.tolist(), number.tolist(), strict=True)
    ]
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory(
            f"there is too little memory to embed images of {' x '.join(map(str, state['shape'][1:]))} pixels with "
            f"{state['settings'].get('image_encoder') or state['settings']['method']}: request more memory"
        ),
    ):
        features = _features(photographs, names, state, settings, checkpoint)
    if not bool(features.isfinite().all()):
        raise UserError(f"{checkpoint} gives features that are not finite: run pretrain again with a lower lr")
    total = torch.zeros((len(samples), features.shape[1]), dtype=torch.float64).index_add_(
        0, sample_of_image, features.double()
    )
    roles = _roles(samples, state, other_cohort)
    obs = pd.DataFrame(
        {"role": roles, "n_images": photographs.count.numpy()}, index=pd.Index(samples["iid"], name=None)
    )
    counts = {role: int((roles == role).sum()) for role in (*ROLES, UNUSED, *([NEW] if other_cohort else []))}
    log.info("embedded %d images of %d samples: %s", len(features), len(samples), counts)
    data = ad.AnnData(
        X=(total / photographs.count[:, None]).float().numpy(),
        obs=obs,
        var=pd.DataFrame(index=[f"F{number}" for number in range(1, features.shape[1] + 1)]),
        uns={
            "provenance": json.dumps({"checkpoint": str(checkpoint), "settings": dict(settings), "n_samples": counts})
        },
    )
    with replacing(output) as temporary:
        data.write_h5ad(temporary)


def _features(
    photographs: Photographs,
    names: list[str],
    state: Mapping,
    settings: Mapping[str, object],
    checkpoint: PathLike,
) -> torch.Tensor:
    """Return the features of all images: float32 (images, features) on the CPU, ordered by sample.

    The `names` of the images seed their random views, so the features of a sample are independent of other samples.
    """
    recipe, layer = state["settings"], settings["layer"]
    learned = Pretrained.of(state, checkpoint, settings["checkpoint"])
    modules = [learned.pixels(), learned.trunk(), *([learned.head(layer)] if layer != "trunk" else [])]
    network = nn.Sequential(*modules).eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=channels_last(state["shape"]))
    augment = Augmentation.of(recipe["augment"])
    max_images = PIXELS[device.type] // math.prod(state["shape"][1:])
    batches = [Batch(part, part) for part in torch.arange(len(photographs.row)).split(max(1, min(BATCH, max_images)))]
    resident = device.type == "cuda" and photographs.pixels.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info()[0]
    if resident:
        photographs = photographs.to(device)
    result = []
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, device.type == "cuda" and recipe["bf16"]):
        loader = batches if resident else prefetch(batches, photographs)
        for batch in tqdm(loader, "embed", len(batches), disable=None):
            pixels = photographs.gather(batch.images) if resident else batch.pixels
            levels = pixels.to(device, non_blocking=True).float() / 255
            features = network(levels).float()
            for view in range(settings["augment"]):
                seeds = [stable_hash(f"{recipe['seed']}:{view}:{names[image]}") for image in batch.images.tolist()]
                generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
                with exactly(levels):
                    augmented = augment(levels, generators)
                features += network(augmented).float()
            result.append(features / (1 + settings["augment"]))
    return torch.cat(result).cpu()


def _roles(samples: pd.DataFrame, state: Mapping, other_cohort: bool) -> np.ndarray:
    """Return the role of each sample in the training; with `other_cohort`, new for samples that were not in it."""
    if other_cohort:
        recorded = {iid_hash: UNUSED for iid_hash in state.get("seen", [])} | known_roles(state)
        return np.array([recorded.get(one, NEW) for one in samples["iid"].map(stable_hash)], dtype=object)
    return roles_of(samples, state)
