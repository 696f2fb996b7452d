"""The optimizer and the learning rate's course, both torch's."""

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
    """AdamW or Adam without decay on biases, normalisation and the temperature; one-cycle or cosine with a warm-up.

    `settings`: optimizer, lr, weight_decay, schedule, warmup (share of the `steps` over which a cosine rises).
    """
    known = [one for _, one in parameters if one.requires_grad]
    # flagged are the decay rates of Mamba's states, and what says where a token stands
    decays = [one.ndim > 1 and not getattr(one, "_no_weight_decay", False) for one in known]
    groups = [
        {
            "params": [one for one, decay in zip(known, decays, strict=True) if decay],
            "weight_decay": settings["weight_decay"],
        },
        {"params": [one for one, decay in zip(known, decays, strict=True) if not decay], "weight_decay": 0.0},
    ]
    optimizer = OPTIMIZERS[settings["optimizer"]](groups, lr=settings["lr"], fused=True)
    if settings["schedule"] == "onecycle":
        return optimizer, OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    rising = int(settings["warmup"] * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1))) / 2

    return optimizer, LambdaLR(optimizer, factor)
