"""Training and embedding in images per second, compared with the published training step and a forward pass.

    python benchmarks/pretrain.py                                    # ResNet-18, 128 pixels, batch 64, on a CPU
    python benchmarks/pretrain.py --paper --compile --workers 16     # ResNet-50, 448 pixels, for a GPU
    python benchmarks/pretrain.py --samples 32 --batch 8 --size 32 --snps 50 --scores 10 --burdens 50 --repeats 1

Three modalities with the widths of the paper, genetics encoder h1. contigwas: `contigwas.pretrain` with its own loop,
images from images.npy of the images stage, augmented by the same rotation and flip. The peer (pretrain_published.py) is
a re-creation of ContIG's published step. It decodes JPEGs 1.5 times as wide as the network's input, the published ratio
of 672 to 448. Network, batch, samples, modalities and number of threads are the same.

Both run alternately, `--repeats` times. The value of a repetition is the median over its steps after the warm-up, in
distinct images per second. The table has the median of the repetitions, their spread ((max - min) / median) and ratios.
Then the script measures the fraction of a training step that is spent on getting the batch, and compares
`contigwas.embed` with the forward pass of the same network in the same batches on random images in memory. Appends to
benchmarks/pretrain.tsv.
"""

import argparse
import datetime
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from measure import ROOT, append
from pretrain_data import jpegs, write_data
from pretrain_published import Items, Published, rates

from contigwas.embed.embed import BATCH, embed
from contigwas.images.array import Photographs
from contigwas.pretrain.data import Genetics
from contigwas.pretrain.networks import channels_last, image_encoder
from contigwas.pretrain.train import train
from contigwas.tables.anndata_io import read_modality

WARMUP = 2  # steps
RECIPE = {
    "method": "contig",
    "aggregate": "inner",
    "folds": 1,
    "width": 64,
    "genetics_encoder": "h1",
    "hidden": 2048,
    "embedding": 128,
    "dropout": 0.0,
    "corruption": 0.0,
    "noise": 0,
    "temperature": 0.1,
    "learn_temperature": False,
    "alpha": 0.75,
    "loss": "contig",
    "genetics_init": "random",
    "epochs": 1,
    "lr": 1e-3,
    "weight_decay": 1e-6,
    "optimizer": "adam",
    "schedule": "cosine",
    "warmup": 0,
    "norm": "batch",
    "patch": 16,
    "weights": None,
    "bf16": True,
    "compile": False,
    "augment": {"rotation": 20, "flip": True},
    "seed": 1,
    "validation": 0.0,
    "heldout": 0.0,
    "min_carriers": 1,
}


class Clock(Callback):
    """Records when each step began and ended, after synchronising the device."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.ended: list[float] = []

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Record that a batch is loaded."""
        self.begun.append(now())

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Record that its step has ended."""
        self.ended.append(now())

    def rates(self, batch: int) -> list[float]:
        """Images per second of each step after the warm-up, from end to end."""
        return (batch / np.diff(self.ended[WARMUP - 1 :])).tolist()


def now() -> float:
    """Return the time in seconds after synchronising the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def trained(files: Mapping[str, object], recipe: Mapping[str, object], folder: Path) -> Clock:
    """Train fold 0 as the pipeline does, with the clock as a Lightning callback."""
    clock, trainer = Clock(), lightning.Trainer

    def watched(callbacks: list[Callback], **options: object) -> lightning.Trainer:
        return trainer(callbacks=[*callbacks, clock], **options)

    with patch.object(lightning, "Trainer", watched):
        outputs = {"output_checkpoint": folder / f"{recipe['method']}.ckpt", "output_history": folder / "history.csv"}
        train(**files, settings=recipe, fold=0, **outputs)
    return clock


@contextmanager
def counted(spans: list[tuple[float, float]]) -> Iterator[None]:
    """Collect when every gather of pixels and of genetics began and ended."""

    def timed(gather: Callable) -> Callable:
        def run(*arguments: object) -> object:
            start = now()
            result = gather(*arguments)
            spans.append((start, now()))
            return result

        return run

    with ExitStack() as stack:
        for kind in (Photographs, Genetics):
            stack.enter_context(patch.object(kind, "gather", timed(kind.gather)))
        yield


def waiting(train_once: Callable[[], Clock]) -> float:
    """The share of an epoch's seconds, after the warm-up, that go into the loader and into gathering the batch."""
    spans: list[tuple[float, float]] = []
    with counted(spans):
        clock = train_once()
    gathered = sum(end - start for start, end in spans if clock.ended[WARMUP - 1] <= start <= clock.ended[-1])
    between = sum(np.subtract(clock.begun[WARMUP:], clock.ended[WARMUP - 1 : -1]))
    return float((gathered + between) / (clock.ended[-1] - clock.ended[WARMUP - 1]))


def scaled(path: Path) -> np.ndarray:
    """Return a modality as the published code stores it: scaled once, before training."""
    values = np.asarray(read_modality(path).X, np.float32)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def forward_rate(recipe: Mapping[str, object], shape: tuple[int, ...], images: int, device: str) -> float:
    """Return images per second of the trunk on random images in device memory."""
    trunk = image_encoder(recipe, shape).eval().to(device, memory_format=channels_last(shape))
    batch = torch.rand(min(BATCH, images), *shape, device=device).to(memory_format=channels_last(shape))
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, device == "cuda" and recipe["bf16"]):
        trunk(batch)
        start = now()
        for _ in range(images // len(batch)):
            trunk(batch)
        return images // len(batch) * len(batch) / (now() - start)


def embed_rate(checkpoint: Path, files: Mapping[str, object], threads: int, images: int, output: Path) -> float:
    """Return images per second of the call, including reading the checkpoint and writing the file."""
    settings = {"checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": threads}
    start = now()
    embed(checkpoint, files["images_npy"], files["images_table"], files["cohort"], settings, output)
    return images / (now() - start)


def row(program: str, what: Mapping[str, object], found: list[float], **more: object) -> dict[str, object]:
    """A row of the table: median and spread of the repetitions."""
    middle = median(found)
    spread = (max(found) - min(found)) / middle
    line = {"date": datetime.date.today().isoformat(), "program": program, **what, "images_s": round(middle, 2)}
    line |= {"spread": round(spread, 3), "runs": len(found), **more}
    sys.stdout.write(f"{line}\n")
    return line


def parsed() -> argparse.Namespace:
    """The command line, with the paper's settings filled in where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--paper", action="store_true", help="ResNet-50, 448 pixels")
    parser.add_argument("--compile", action="store_true", help="ours with torch.compile")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, help="pixels of the network's input")
    parser.add_argument("--snps", type=int, default=7_854)
    parser.add_argument("--scores", type=int, default=481)
    parser.add_argument("--burdens", type=int, default=18_574)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="processes that decode for the peer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-samples", type=int, default=256, help="of an epoch of the peer, which is slow")
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/pretrain.tsv")
    arguments = parser.parse_args()
    arguments.encoder = "resnet50" if arguments.paper else "resnet18"
    arguments.size = arguments.size or (448 if arguments.paper else 128)
    return arguments


def main() -> None:
    """Create the data, train and embed alternately, and append to the table."""
    arguments = parsed()
    logging.getLogger().setLevel(logging.ERROR)
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    widths = {"snps": arguments.snps, "pgs": arguments.scores, "burden": arguments.burdens}
    samples, size, batch = arguments.samples, arguments.size, arguments.batch
    folder = arguments.folder.resolve() / f"pretrain_n{samples}_{size}_{'_'.join(map(str, widths.values()))}"
    files = write_data(folder, samples, size, size * 3 // 2, widths)
    recipe = {**RECIPE, "image_encoder": arguments.encoder, "batch": batch, "math_threads": arguments.threads}
    recipe |= {"modalities": list(widths), "compile": arguments.compile}
    some = slice(min(arguments.peer_samples, samples))
    genetics = {name: scaled(path)[some] for name, path in files["modalities"].items()}
    published = Published(recipe, size, widths, device)
    items = Items(jpegs(folder, samples)[some], genetics, size)
    ours, theirs = [], []
    for _ in range(arguments.repeats):
        ours.append(median(trained(files, recipe, folder).rates(batch)))
        theirs.append(median(rates(published, items, batch, arguments.workers, WARMUP - 1)))
    share = waiting(lambda: trained(files, recipe, folder))
    untrained = {**recipe, "method": "untrained", "modalities": [], "compile": False}
    trained({**files, "modalities": {}}, untrained, folder)
    embedded, alone = [], []
    for _ in range(arguments.repeats):
        place = folder / "untrained.ckpt", files, arguments.threads, samples, folder / "embeddings.h5ad"
        embedded.append(embed_rate(*place))
        alone.append(forward_rate(recipe, (3, size, size), samples, device))
    machine = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {arguments.threads} threads"
    what = {"device": machine, "network": arguments.encoder, "pixels": size, "batch": batch}
    inferred = {**what, "batch": BATCH}
    ours_is = "contigwas, compiled" if arguments.compile else "contigwas"
    rows = [
        row(ours_is, what, ours, ratio=round(median(ours) / median(theirs), 2), waiting=round(share, 4)),
        row("published step, re-created", what, theirs),
        row("contigwas: embed", inferred, embedded, ratio=round(median(embedded) / median(alone), 2)),
        row("forward pass alone", inferred, alone),
    ]
    append(rows, arguments.table)


if __name__ == "__main__":
    main()
