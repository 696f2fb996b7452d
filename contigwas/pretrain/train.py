"""Train the network of one fold and write everything that was fitted on its training people."""

import logging
import sys
from collections.abc import Mapping
from zlib import crc32

import lightning
import numpy as np
import pandas as pd
import torch

from contigwas.files import PathLike, replacing
from contigwas.pretrain.data import Batches, Chunks, Genetics, Study, load_study
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.module import Contig, Pretraining, SimCLR
from contigwas.pretrain.normalise import Normaliser, fit, fit_pixels

log = logging.getLogger(__name__)


def train(
    cohort: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    modalities: Mapping[str, PathLike],
    settings: Mapping[str, object],
    fold: int,
    output_checkpoint: PathLike,
    output_history: PathLike,
    pcs: PathLike | None = None,
) -> None:
    """Train fold `fold` of a recipe; the same seed and math_threads give the same weights on one machine's CPU.

    `settings` is the recipe with `folds`, `seed`, `math_threads`, `validation`, `heldout` and, with burdens,
    `min_carriers`; with polygenic scores perhaps `adjust_pcs`, how many components of the table `pcs` are taken out of
    them. `modalities` maps names to .h5ad files; empty for a method without genetics.
    The checkpoint loads with `weights_only=True`: settings, fold, size (pixels), state_dict (trunk, pixel scaler,
    heads, genetics encoders with their normalisers), features (names kept, by modality), roles (hashes of IIDs). The
    history has a row an epoch. Raises UserError when there are too few people for a batch, when a modality has
    nobody or nothing that varies, and when the loss is no longer a number.
    """
    with deterministic(int(settings["math_threads"])):
        study = load_study(cohort, images_npy, images_table, modalities, settings, fold, pcs)
        pixels = fit_pixels(study.photographs.pixels[_first_images(study)])
        fitted = {name: _fit(name, one, study, settings) for name, one in study.genetics.items()}
        module = _train(study, pixels, fitted, settings, fold)
    checkpoint = {
        "settings": dict(settings),
        "fold": fold,
        "size": study.photographs.pixels.shape[-1],
        "state_dict": {name: value.cpu() for name, value in module.state_dict().items()},
        "features": {
            name: [study.genetics[name].features[index] for index in one.keep.tolist()] for name, one in fitted.items()
        },
        "roles": study.roles,
    }
    with replacing(output_history) as temporary:
        pd.DataFrame(module.history).to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
        with replacing(output_checkpoint) as weights, weights.open("wb") as file:
            # through a file object: torch writes a path's name into the archive, and equal weights must be equal files
            torch.save(checkpoint, file)


def _first_images(study: Study) -> torch.Tensor:
    return study.photographs.first[study.train]


def _fit(name: str, genetics: Genetics, study: Study, settings: Mapping[str, object]) -> Normaliser:
    row = genetics.row[study.train]
    normaliser = fit(name, genetics.values[row[row >= 0]], int(settings.get("min_carriers", 0)), genetics.pcs)
    log.info("%d of %d features of %s vary and are used", len(normaliser.keep), len(genetics.features), name)
    return normaliser


def _train(
    study: Study, pixels: torch.nn.Module, fitted: Mapping[str, Normaliser], settings: Mapping[str, object], fold: int
) -> Pretraining:
    method = str(settings["method"])
    entropy = np.random.SeedSequence([int(settings["seed"]), crc32(method.encode()), fold])
    weights, order, views = (int(seed) for seed in entropy.generate_state(3))
    torch.manual_seed(weights)  # initial weights and dropout
    module = Contig(study, pixels, fitted, settings, views) if fitted else SimCLR(study, pixels, settings, views)
    batches = Batches(study.train, study.photographs, settings["batch"], torch.Generator().manual_seed(order))
    chunks = Chunks(study.validation, study.photographs, settings["batch"])
    if len(study.validation) < 2:
        log.warning("fewer than two people validate: no validation loss and no retrieval")
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        num_sanity_val_steps=0,
    )
    trainer.fit(module, batches, chunks if len(study.validation) > 1 else None)
    return module
