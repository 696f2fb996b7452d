"""Train the network of one fold and write the checkpoint and the history."""

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

from contigwas.pretrain.best_weights import BestWeights
from contigwas.pretrain.data import DEVICE_SHARE, Batches, Genetics, TrainingData, ValidationBatches, load_training_data
from contigwas.pretrain.determinism import deterministic
from contigwas.pretrain.distributed import rank
from contigwas.pretrain.methods import METHODS, Pretraining
from contigwas.pretrain.normalise import Normaliser, PixelScaler, fit, fit_pixels
from contigwas.pretrain.resume import Resume, fingerprint
from contigwas.pretrain.roles import HELDOUT
from contigwas.pretrain.weights import refuse_leak, seen_samples
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
    """Train fold `fold` of a recipe; on a CPU, the same seed and math_threads reproduce the weights exactly.

    `settings` is the recipe with `folds`, `seed`, `math_threads`, `validation` and `heldout`. `modalities` maps names
    to .h5ad files; it is empty for a method without genetics. `pcs` are the genetic components for `adjust_pcs`.

    With `scratch`, the state of training is saved there every `minutes`, under a digest of the settings, the inputs and
    `code` (a digest of the code). An interrupted run resumes from it and ends with the same weights. The state is
    removed at the end. `devices` processes share each batch: GPUs, or CPU processes if there is no GPU. `tensorboard`
    is a folder for TensorBoard files.

    The checkpoint loads with `weights_only=True`. Its keys:

    - settings, fold, shape: the recipe, the fold, the shape of an image.
    - state_dict: trunk, pixel scaler, heads and genetics encoders with their normalisers, of the last epoch.
    - best_state_dict, best_epoch: the same of the epoch with the lowest validation loss.
    - features: names of the used features by modality.
    - roles: hashes of IIDs by role.
    - seen: hashes of the samples whose genetics the initial weights were trained with.

    The history has one row per epoch. Raises UserError when there are fewer training samples than a batch, when a
    modality has no training sample or no variable feature, when a loss or weight is not finite, when memory is
    insufficient, when the initial weights were trained with the genetics of samples to be tested, and when a signal
    stops the training.
    """
    start, network = settings.get("weights"), settings.get("image_encoder", settings["method"])
    with deterministic(int(settings["math_threads"])):
        with enough_memory(
            f"there is too little memory to load the images ({images_npy}) and modalities: request more memory, or "
            "lower images.size"
        ):
            data = load_training_data(cohort, images_npy, images_table, modalities, settings, fold, pcs)
            all_hashes = [one for hashes in data.roles.values() for one in hashes]
            seen = seen_samples(start)
            # without held-out samples, all samples are tested
            refuse_leak(start, seen, data.roles[HELDOUT] or all_hashes, fold)
            first = data.photographs.first[data.train]
            pixels = fit_pixels(data.photographs, first)
            normalisers = {name: _fit_normaliser(name, one, data, settings) for name, one in data.genetics.items()}
        best, resume = BestWeights(), None
        if scratch is not None:
            files = [cohort, images_npy, images_table, *modalities.values(), *([pcs] if pcs else [])]
            state = fingerprint(settings, fold, [*files, *([start] if start else [])], code)
            resume = Resume(Path(scratch) / state, minutes)
        with enough_memory(
            f"the device has too little memory for batches of {settings.get('batch', 1)} images of "
            f"{' x '.join(map(str, data.photographs.shape[1:]))} pixels through {network}: "
            f"lower {METHODS[str(settings['method'])].lower}"
        ):
            module = _train(data, pixels, normalisers, settings, fold, best, resume, devices, tensorboard)
    if rank() > 0:
        return
    weights = {name: value.cpu() for name, value in module.state_dict().items()}
    checkpoint = {
        "settings": dict(settings),
        "fold": fold,
        "shape": list(data.photographs.shape),
        "state_dict": weights,
        "best_epoch": best.epoch,
        # the same key objects as in state_dict: pickle refers to repeated objects, so equal weights give equal files
        "best_state_dict": {name: best.weights[name] for name in weights} if best.weights else None,
        "features": {
            name: [data.genetics[name].features[index] for index in normaliser.keep.tolist()]
            for name, normaliser in normalisers.items()
        },
        "roles": data.roles,
        "seen": seen,
    }
    with replacing(output_history) as temporary:
        columns = None if module.history else ["epoch", "step", "lr", "train_loss", "val_loss"]
        history = pd.DataFrame(module.history, columns=columns)
        history.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
        with replacing(output_checkpoint) as place, place.open("wb") as file:
            # a file object, because torch would write the name of the path into the archive
            torch.save(checkpoint, file)
    if resume is not None:
        resume.remove()


def _fit_normaliser(name: str, genetics: Genetics, data: TrainingData, settings: Mapping[str, object]) -> Normaliser:
    """Fit the normaliser of a modality to its training samples."""
    row = genetics.row[data.train]
    row = row[row >= 0]
    carriers = int(settings.get("min_carriers", 0))
    by_variance = settings.get("gene_order") == "variance"
    normaliser = fit(name, genetics.values[row], carriers, genetics.components[row], settings.get("genes"), by_variance)
    log.info("%d of %d features of %s vary and are used", len(normaliser.keep), len(genetics.features), name)
    return normaliser


def _train(
    data: TrainingData,
    pixels: PixelScaler,
    normalisers: Mapping[str, Normaliser],
    settings: Mapping[str, object],
    fold: int,
    best: BestWeights,
    resume: Resume | None,
    devices: int,
    tensorboard: PathLike | None,
) -> Pretraining:
    """Train the module and return it; a method without training returns it as initialised."""
    method = str(settings["method"])
    entropy = np.random.SeedSequence([int(settings["seed"]), crc32(method.encode()), fold])
    weights, order, views = (int(seed) for seed in entropy.generate_state(3))
    torch.manual_seed(weights)  # initial weights and dropout
    module = METHODS[method].of(data, pixels, normalisers, settings, views)
    module.begin()
    if not module.trains:
        return module
    if len(data.validation) < 2:
        log.warning("fewer than two validation samples: the history has no validation loss and no retrieval")
    gpu = torch.cuda.is_available()
    devices = _devices(module, settings, devices, gpu)
    callbacks: list[Callback] = [best, *([resume] if resume is not None else [])]
    resident = not gpu or data.size() < DEVICE_SHARE * torch.cuda.mem_get_info()[0]
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="gpu" if gpu else "cpu",
        devices=devices,
        # no broadcast of buffers: SyncBatchNorm and the queue compute them from the samples of all processes
        strategy="auto" if devices == 1 else DDPStrategy(find_unused_parameters=True, broadcast_buffers=False),
        # Lightning's SLURM environment expects one process per task; here, the first process starts the others
        plugins=None if TorchElasticEnvironment.detect() else [LightningEnvironment()],
        precision="bf16-mixed" if gpu and settings["bf16"] else "32-true",
        sync_batchnorm=gpu and devices > 1,
        benchmark=gpu,
        logger=_tensorboard(tensorboard) if tensorboard else False,
        callbacks=callbacks,
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),  # Lightning writes it to stdout
        num_sanity_val_steps=0,
    )
    if gpu and resident:
        module.data = data = data.to(torch.device("cuda", trainer.strategy.root_device.index or 0))
    if settings["compile"]:
        module.trunk.compile()
    generator = torch.Generator().manual_seed(order)
    share = trainer.global_rank, trainer.world_size
    module.batches = Batches(data.train, data.photographs, settings["batch"], generator, not resident, *share)
    # every process validates all samples: a validation batch is one contrast, and its views come from one generator
    validation = ValidationBatches(data.validation, data.photographs, settings["batch"])
    state = resume.saved() if resume is not None else None
    if state is not None:
        log.info("training resumes from the saved state")
    try:
        trainer.fit(
            module, module.batches, validation if len(data.validation) > 1 else None, ckpt_path=state, weights_only=True
        )
    except SIGTERMException:
        if resume is None or resume.saved() is None:
            raise UserError("training was stopped by a signal before its state was saved: run it again") from None
        raise UserError(
            "training was stopped by a signal and its state was saved: run the same command again to resume"
        ) from None
    return module


def _tensorboard(folder: PathLike) -> TensorBoardLogger:
    """Return a logger for the rows of the history. Raises UserError when no TensorBoard package is installed."""
    try:
        return TensorBoardLogger(folder, name="", version="")
    except ModuleNotFoundError:
        raise UserError(
            "pretrain.tensorboard is true, but neither tensorboard nor tensorboardX is installed: install one of "
            "them, or write false"
        ) from None


def _devices(module: Pretraining, settings: Mapping[str, object], devices: int, gpu: bool) -> int:
    """Return the number of processes that share each batch. Raises UserError when they cannot share it evenly."""
    if gpu:
        devices = min(devices, torch.cuda.device_count())
    elif devices > 1 and any(isinstance(one, torch.nn.modules.batchnorm._BatchNorm) for one in module.modules()):
        # each process would normalise by its own samples, so the network would depend on the number of processes
        log.warning("BatchNorm cannot be synchronised between CPU processes: one process trains instead of %d", devices)
        return 1
    if settings["batch"] % devices:
        raise UserError(
            f"a batch of {settings['batch']} samples does not divide among {devices} devices: make batch in the recipe "
            f"a multiple of {devices}, or request fewer devices"
        )
    return devices
