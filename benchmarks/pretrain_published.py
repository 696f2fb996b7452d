"""ContIG's training step as in its published code, written from its description (docs/methods.md has contigwas's).

This is a re-creation, not the published code: torchvision is not available, and Lightning no longer supports several
optimizers. The parts that take time are the same. An item of the data set is decoded from its JPEG, resized, rotated by
up to 20 degrees and mirrored by Pillow, converted to a tensor and normalised, and its genetics are looked up, one after
the other, in worker processes. Each modality has a model of its own with head and genetics encoder, and its own Adam
over these and the shared image encoder. A batch is one step of each optimizer in turn, with the parameters of the other
modalities frozen. Every step computes the losses of all modalities, for which the model of every modality runs the
image encoder again: nine forward and backward passes of a batch for three modalities. 32-bit floats, contiguous images.
The overhead of Lightning is left out, in favour of the peer. Missing modalities are left out too, because no sample has
them here.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from contigwas.pretrain.losses import contig_loss
from contigwas.pretrain.networks import features_of, head, image_encoder

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
ROTATION = 20  # degrees
ALPHA, TEMPERATURE = 0.75, 0.1
LR, DECAY = 1e-3, 1e-6


class Items(Dataset):
    """Items are samples: the image (3, size, size) float32, and a row of every modality, scaled before training."""

    def __init__(self, paths: Sequence[Path], genetics: Mapping[str, np.ndarray], size: int) -> None:
        self.paths, self.size = list(paths), size
        self.genetics = dict(genetics)
        self.mean, self.sd = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, SD))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image = Image.open(self.paths[index]).convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        image = image.rotate(random.uniform(-ROTATION, ROTATION))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        levels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float() / 255
        rows = {name: torch.from_numpy(values[index]).float() for name, values in self.genetics.items()}
        return {"image": (levels - self.mean) / self.sd, **rows}


class OneModality(nn.Module):
    """The shared image encoder, with the head and the genetics encoder of one modality."""

    def __init__(self, trunk: nn.Module, features: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head(features_of(trunk), hidden, embedding)
        block = [nn.Linear(features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)]
        self.genetics = nn.Sequential(*block, head(hidden, hidden, embedding))

    def forward(self, images: Tensor, genetics: Tensor) -> tuple[Tensor, Tensor]:
        """Both embeddings (samples, embedding)."""
        return self.head(self.trunk(images)), self.genetics(genetics)


class Published:
    """The models and optimizers of all modalities on `device`, and their step."""

    def __init__(self, recipe: Mapping[str, object], size: int, widths: Mapping[str, int], device: str) -> None:
        trunk = image_encoder(recipe, (3, size, size))
        self.device = device
        self.models = nn.ModuleDict(
            {name: OneModality(trunk, width, recipe["hidden"], recipe["embedding"]) for name, width in widths.items()}
        ).to(device)
        self.optimizers = [torch.optim.Adam(one.parameters(), LR, weight_decay=DECAY) for one in self.models.values()]

    def step(self, batch: Mapping[str, Tensor]) -> float:
        """Run one step of every optimizer and return the last loss."""
        batch = {name: values.to(self.device, non_blocking=True) for name, values in batch.items()}
        for optimizer in self.optimizers:
            self.models.requires_grad_(False)
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.requires_grad_(True)
            loss = 0.0
            for name, model in self.models.items():
                images, genetics = model(batch["image"], batch[name])
                loss = loss + contig_loss(images, genetics, TEMPERATURE, ALPHA) / len(self.models)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())


def rates(published: Published, items: Items, batch: int, workers: int, warmup: int) -> Iterator[float]:
    """Train an epoch; after `warmup` steps yield each step's images per second, the wait for its batch included."""
    pinned = published.device == "cuda"
    loader = DataLoader(items, batch, shuffle=True, num_workers=workers, pin_memory=pinned, drop_last=True)
    published.models.train()
    start = time.perf_counter()
    for number, one in enumerate(loader):
        published.step(one)
        end = time.perf_counter()
        if number >= warmup:
            yield batch / (end - start)
        start = end
