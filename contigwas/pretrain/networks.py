"""The networks: a ResNet trunk for photographs, small encoders for genetics, heads into the space of the contrast."""

from collections.abc import Mapping

from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from contigwas.pretrain.normalise import Normaliser

LAYERS = {
    "resnet10": ("basic", [1, 1, 1, 1]),
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
SMALL = 128  # pixels: a smaller photograph has no resolution to give to a 7 x 7 stem and a max-pool


def image_encoder(name: str, width: int, size: int) -> ResNet:
    """MONAI's 2-D ResNet without its classifier: (images, 3, size, size) -> (images, features), the last stage pooled.

    `width` is the channels of the first stage; the features are 8 x as many (32 x for the bottlenecks of resnet50).
    """
    block, layers = LAYERS[name]
    return ResNet(
        block=block,
        layers=layers,
        block_inplanes=[width, 2 * width, 4 * width, 8 * width],
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_size=3 if size < SMALL else 7,
        conv1_t_stride=2,
        no_max_pool=size < SMALL,
        feed_forward=False,
        bias_downsample=False,
    )


def features_of(trunk: ResNet) -> int:
    """How many features the trunk gives an image."""
    return trunk.in_planes


def head(features: int, hidden: int, embedding: int) -> nn.Sequential:
    """Linear - ReLU - Linear into the space of the contrast."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, embedding))


def _block(features: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)]


class GeneticsEncoder(nn.Module):
    """Raw values (people, features) of one modality -> (people, embedding). It must be given only people who have it.

    `kind`: `linear` (one linear map into the space of the contrast), `none` (a head on the normalised values), `h1`
    and `h12` (one or two layers of Linear - ReLU - BatchNorm, then a head). `dropout` falls on the normalised values.
    """

    def __init__(self, normaliser: Normaliser, kind: str, hidden: int, embedding: int, dropout: float) -> None:
        super().__init__()
        features = len(normaliser.keep)
        self.normaliser = normaliser
        self.dropout = nn.Dropout(dropout)
        if kind == "linear":
            layers = [nn.Linear(features, embedding)]
        elif kind == "none":
            layers = [head(features, hidden, embedding)]
        else:
            deeper = _block(hidden, hidden) if kind == "h12" else []
            layers = [*_block(features, hidden), *deeper, head(hidden, hidden, embedding)]
        self.layers = nn.Sequential(*layers)

    def forward(self, values: Tensor) -> Tensor:
        """(people, features) raw -> (people, embedding)."""
        return self.layers(self.dropout(self.normaliser(values)))


def genetics_encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
    """One encoder a modality. Scores are few and dense, so dropout falls on SNPs and burdens only."""
    return nn.ModuleDict(
        {
            name: GeneticsEncoder(
                normaliser,
                settings["genetics_encoder"],
                settings["hidden"],
                settings["embedding"],
                0.0 if name == "pgs" else settings["dropout"],
            )
            for name, normaliser in normalisers.items()
        }
    )
