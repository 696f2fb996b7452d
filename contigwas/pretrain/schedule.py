"""Optimizer and learning-rate schedule of torch."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def optimizer_and_schedule(
    parameters: Iterable[tuple[str, nn.Parameter]], settings: Mapping[str, object], steps: int
) -> tuple[Optimizer, LRScheduler]:
    """Return AdamW or Adam, and a one-cycle schedule or a cosine with warm-up.

    Biases, normalisation parameters and the temperature have no weight decay. `settings`: optimizer, lr, weight_decay,
    schedule, warmup (share of the `steps` in which the learning rate of a cosine rises).
    """
    trainable = [one for _, one in parameters if one.requires_grad]
    # flagged are the decay rates of Mamba's states and the biases of tokens, which encode positions
    decays = [one.ndim > 1 and not getattr(one, "_no_weight_decay", False) for one in trainable]
    groups = [
        {
            "params": [one for one, decay in zip(trainable, decays, strict=True) if decay],
            "weight_decay": settings["weight_decay"],
        },
        {"params": [one for one, decay in zip(trainable, decays, strict=True) if not decay], "weight_decay": 0.0},
    ]
    optimizer = OPTIMIZERS[settings["optimizer"]](groups, lr=settings["lr"], fused=True)
    if settings["schedule"] == "onecycle":
        return optimizer, OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    warmup_steps = int(settings["warmup"] * steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return (1 + math.cos(math.pi * (step - warmup_steps) / max(steps - warmup_steps, 1))) / 2

    return optimizer, LambdaLR(optimizer, factor)
