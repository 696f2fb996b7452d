"""BYOL: predict the projection of the other view by a momentum copy of the network."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import TrainingData
from contigwas.pretrain.losses import byol_loss
from contigwas.pretrain.methods.views import TwoViews, predictor
from contigwas.pretrain.networks import features_of
from contigwas.pretrain.normalise import PixelScaler


class BYOL(TwoViews):
    """Grill et al., NeurIPS 2020. The momentum of the copy rises from `momentum` to 1 along a cosine."""

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        hidden, width = settings["hidden"], settings["embedding"]
        features = features_of(self.trunk)
        self.project = nn.Sequential(
            nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width)
        )
        self.predict = predictor(width, hidden)
        self.target = nn.ModuleDict({"trunk": copy.deepcopy(self.trunk), "project": copy.deepcopy(self.project)})
        self.target.requires_grad_(False)

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the loss of each view's prediction against the copy's projection of the other view."""
        predicted = self.predict(self.project(features)).float().chunk(2)
        with torch.no_grad():
            target = self.target["project"](self.target["trunk"](views)).float().chunk(2)
        return byol_loss(predicted[0], target[1]) + byol_loss(predicted[1], target[0]), (predicted[0], target[1])

    def optimizer_step(self, *arguments: object, **keywords: object) -> None:
        """Update the copy after the network."""
        super().optimizer_step(*arguments, **keywords)
        momentum = 1 - (1 - self.settings["momentum"]) * (math.cos(math.pi * self.global_step / self.steps) + 1) / 2
        online = [*self.trunk.parameters(), *self.project.parameters()]
        with torch.no_grad():
            torch._foreach_lerp_([*self.target.parameters()], online, 1 - momentum)
