"""Train the network of one fold and write everything that was fitted on its training samples."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException

from contigwas.pretrain.best_weights import Best
from contigwas.pretrain.data import DEVICE_SHARE, Batches, Chunks, Genetics, Study, load_study
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.distributed import rank
from contigwas.pretrain.methods import METHODS, Pretraining
from contigwas.pretrain.normalise import Normaliser, PixelScaler, fit, fit_pixels
from contigwas.pretrain.resume import Resume, fingerprint
from contigwas.pretrain.roles import HELDOUT
from contigwas.pretrain.weights import refuse_leak, seen
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory

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
    scratch: PathLike | None = None,
    minutes: float = 10,
    devices: int = 1,
    tensorboard: PathLike | None = None,
    code: str = "",
) -> None:
    """Train fold `fold` of a recipe; the same seed and math_threads give the same weights on one machine's CPU.

    `settings` is the recipe with `folds`, `seed`, `math_threads`, `validation` and `heldout`. `modalities` maps names
    to .h5ad files; empty for a method without genetics. `pcs` are the genetic components for `adjust_pcs`. With
    `scratch` the state of training is kept there every `minutes`, under a digest of the settings, the inputs and `code` (a digest of the code);
    a run that was killed resumes from it to the same weights, and it is removed in the end. `devices` processes share
    each batch: GPUs, or processes of the CPU where there is none. `tensorboard` is a folder for its files.

    The checkpoint loads with `weights_only=True`: settings, fold, shape (of an image), state_dict (trunk, pixel scaler,
    heads, genetics encoders with their normalisers) of the last epoch, best_state_dict and best_epoch (of the least
    validation loss), features (names kept, by modality), roles (hashes of IIDs), seen (hashes of those whose genetics
    the weights it started from saw). The history has a row an epoch. Raises UserError when there are too few samples for
    a batch, when a modality has nobody or nothing that varies, when a loss or weight is no longer a number, when
    memory does not suffice, when the weights to start from saw the genetics of samples that are to be tested, and when a
    scheduler stopped it.
    """
    start, network = settings.get("weights"), settings.get("image_encoder", settings["method"])
    with deterministic(int(settings["math_threads"])):
        with enough_memory(
            f"there is too little memory to load the images ({images_npy}) and modalities: ask for more, or lower "
            "images.size"
        ):
            study = load_study(cohort, images_npy, images_table, modalities, settings, fold, pcs)
            everyone = [one for hashes in study.roles.values() for one in hashes]
            saw = seen(start)
            refuse_leak(start, saw, study.roles[HELDOUT] or everyone, fold)  # with nobody held out, everyone is tested
            first = study.photographs.first[study.train]
            pixels = fit_pixels(study.photographs, first)
            fitted = {name: _fit(name, one, study, settings) for name, one in study.genetics.items()}
        best, resume = Best(), None
        if scratch is not None:
            files = [cohort, images_npy, images_table, *modalities.values(), *([pcs] if pcs else [])]
            state = fingerprint(settings, fold, [*files, *([start] if start else [])], code)
            resume = Resume(Path(scratch) / state, minutes)
        with enough_memory(
            f"the device has too little memory for batches of {settings.get('batch', 1)} images of "
            f"{' x '.join(map(str, study.photographs.shape[1:]))} pixels through {network}: "
            f"lower {METHODS[str(settings['method'])].lower}"
        ):
            module = _train(study, pixels, fitted, settings, fold, best, resume, devices, tensorboard)
    if rank() > 0:
        return
    weights = {name: value.cpu() for name, value in module.state_dict().items()}
    checkpoint = {
        "settings": dict(settings),
        "fold": fold,
        "shape": list(study.photographs.shape),
        "state_dict": weights,
        "best_epoch": best.epoch,
        # by the same names, the same objects: pickle tells them from equal ones, and equal weights must be equal files
        "best_state_dict": {name: best.weights[name] for name in weights} if best.weights else None,
        "features": {
            name: [study.genetics[name].features[index] for index in one.keep.tolist()] for name, one in fitted.items()
        },
        "roles": study.roles,
        "seen": saw,
    }
    with replacing(output_history) as temporary:
        columns = None if module.history else ["epoch", "step", "lr", "train_loss", "val_loss"]
        history = pd.DataFrame(module.history, columns=columns)
        history.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
        with replacing(output_checkpoint) as place, place.open("wb") as file:
            # through a file object: torch writes a path's name into the archive
            torch.save(checkpoint, file)
    if resume is not None:
        resume.remove()


def _fit(name: str, genetics: Genetics, study: Study, settings: Mapping[str, object]) -> Normaliser:
    row = genetics.row[study.train]
    row = row[row >= 0]
    carriers = int(settings.get("min_carriers", 0))
    by_variance = settings.get("gene_order") == "variance"
    normaliser = fit(name, genetics.values[row], carriers, genetics.components[row], settings.get("genes"), by_variance)
    log.info("%d of %d features of %s vary and are used", len(normaliser.keep), len(genetics.features), name)
    return normaliser


def _train(
    study: Study,
    pixels: PixelScaler,
    fitted: Mapping[str, Normaliser],
    settings: Mapping[str, object],
    fold: int,
    best: Best,
    resume: Resume | None,
    devices: int,
    tensorboard: PathLike | None,
) -> Pretraining:
    method = str(settings["method"])
    entropy = np.random.SeedSequence([int(settings["seed"]), crc32(method.encode()), fold])
    weights, order, views = (int(seed) for seed in entropy.generate_state(3))
    torch.manual_seed(weights)  # initial weights and dropout
    module = METHODS[method].of(study, pixels, fitted, settings, views)
    module.begin()
    if not module.trains:
        return module
    if len(study.validation) < 2:
        log.warning("fewer than two samples validate: no validation loss and no retrieval")
    gpu = torch.cuda.is_available()
    devices = _devices(module, settings, devices, gpu)
    callbacks: list[Callback] = [best, *([resume] if resume is not None else [])]
    resident = not gpu or study.size() < DEVICE_SHARE * torch.cuda.mem_get_info()[0]
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="gpu" if gpu else "cpu",
        devices=devices,
        # buffers need not be sent round: what fills them (SyncBatchNorm, a queue) sees every process's samples already
        strategy="auto" if devices == 1 else DDPStrategy(find_unused_parameters=True, broadcast_buffers=False),
        # a scheduler's own environment would start one process a task: here the first process starts the others
        plugins=None if TorchElasticEnvironment.detect() else [LightningEnvironment()],
        precision="bf16-mixed" if gpu and settings["bf16"] else "32-true",
        sync_batchnorm=gpu and devices > 1,
        benchmark=gpu,
        logger=_tensorboard(tensorboard) if tensorboard else False,
        callbacks=callbacks,
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),  # where Lightning writes it
        num_sanity_val_steps=0,
    )
    if gpu and resident:
        module.study = study = study.to(torch.device("cuda", trainer.strategy.root_device.index or 0))
    if settings["compile"]:
        module.trunk.compile()
    generator = torch.Generator().manual_seed(order)
    share = trainer.global_rank, trainer.world_size
    module.batches = Batches(study.train, study.photographs, settings["batch"], generator, not resident, *share)
    # not shared: a validation batch is one contrast, and its views are the next ones of one generator
    chunks = Chunks(study.validation, study.photographs, settings["batch"])
    state = resume.saved() if resume is not None else None
    if state is not None:
        log.info("training resumes from where it was saved")
    try:
        trainer.fit(
            module, module.batches, chunks if len(study.validation) > 1 else None, ckpt_path=state, weights_only=True
        )
    except SIGTERMException:
        if resume is None or resume.saved() is None:
            raise UserError("training was stopped by a signal and nothing was saved: run it again") from None
        raise UserError(
            "training was stopped by a signal and saved: run the same command again and it resumes from there"
        ) from None
    return module


def _tensorboard(folder: PathLike) -> TensorBoardLogger:
    """Writes the rows of the history. Raises UserError where no package can."""
    try:
        return TensorBoardLogger(folder, name="", version="")
    except ModuleNotFoundError:
        raise UserError(
            "pretrain.tensorboard is true, but neither tensorboard nor tensorboardX is installed: install one of "
            "them, or write false"
        ) from None


def _devices(module: Pretraining, settings: Mapping[str, object], devices: int, gpu: bool) -> int:
    """How many processes share each batch. Raises UserError when they cannot share it evenly."""
    if gpu:
        devices = min(devices, torch.cuda.device_count())
    elif devices > 1 and any(isinstance(one, torch.nn.modules.batchnorm._BatchNorm) for one in module.modules()):
        # each process would normalise by its own samples, and the network would depend on how many there are
        log.warning("BatchNorm cannot be shared by processes of the CPU: one trains instead of %d", devices)
        return 1
    if settings["batch"] % devices:
        raise UserError(
            f"a batch of {settings['batch']} samples does not divide among {devices} devices: make batch in the recipe "
            f"a multiple of {devices}, or ask for fewer devices"
        )
    return devices
