"""The networks: a trunk for images, small encoders for genetics, heads into the space of the contrast."""

from collections.abc import Mapping

import torch
from monai.networks.nets import ViT
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from contigwas.pretrain.normalise import Normaliser
from contigwas.pretrain.weights import load_weights
from contigwas.runtime.errors import UserError

LAYERS = {
    "resnet10": ("basic", [1, 1, 1, 1]),
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
TRANSFORMERS = {"vit_mini": (96, 3), "vit_tiny": (192, 3), "vit_small": (384, 6), "vit_base": (768, 12)}  # width, heads
STAGES = 4  # of a ResNet; as many maps come from a ViT
SMALL = 128  # pixels: a smaller image has no resolution to give to a 7 x 7 stem and a max-pool
GROUPS = 8  # of channels, in GroupNorm


class VisionTransformer(ViT):
    """MONAI's ViT: (images, channels, sizes …) -> (images, features), the mean over the tokens of the last layer."""

    @property
    def features(self) -> int:
        """How many features it gives an image."""
        return self.norm.normalized_shape[0]

    def forward(self, images: Tensor) -> Tensor:
        """The pooled tokens."""
        tokens, _ = super().forward(images)
        return tokens.mean(dim=1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The tokens of STAGES evenly spread blocks, the last normalised, as maps: (images, features, patches …)."""
        tokens, grid = self.patch_embedding(images), [size // self.patch for size in images.shape[2:]]
        wanted = {len(self.blocks) * stage // STAGES for stage in range(1, STAGES + 1)}
        found = []
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            if number in wanted:
                found.append(self.norm(tokens) if number == len(self.blocks) else tokens)
        return [one.transpose(1, 2).unflatten(2, grid) for one in found]


class ResidualNetwork(ResNet):
    """MONAI's ResNet without a classifier: (images, channels, sizes …) -> (images, features), the last stage pooled."""

    @property
    def features(self) -> int:
        """How many features it gives an image."""
        return self.in_planes

    def maps(self, images: Tensor) -> list[Tensor]:
        """What its four stages give, fine to coarse: (images, channels, sizes …) each."""
        here = self.act(self.bn1(self.conv1(images)))
        if not self.no_max_pool:
            here = self.maxpool(here)
        found = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            here = stage(here)
            found.append(here)
        return found


def image_encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
    """The trunk of a recipe for images of `shape` (channels, then two or three sizes): -> (images, features).

    `settings["image_encoder"]` is a ResNet of MONAI, the last stage pooled, `width` channels in the first stage (8 x
    as many features, 32 x for the bottlenecks of resnet50) and `norm` batch or group; or a ViT with patches of `patch`
    pixels and `depth` blocks. `weights` names a file of weights to start from.
    """
    name = settings["image_encoder"]
    trunk = _transformer(name, settings, shape) if name in TRANSFORMERS else _resnet(name, settings, shape)
    if settings.get("weights"):
        load_weights(trunk, settings["weights"])
    return trunk


def _resnet(name: str, settings: Mapping[str, object], shape: tuple[int, ...]) -> ResidualNetwork:
    block, layers = LAYERS[name]
    width, small = settings["width"], max(shape[1:]) < SMALL
    trunk = ResidualNetwork(
        block=block,
        layers=layers,
        block_inplanes=[width, 2 * width, 4 * width, 8 * width],
        spatial_dims=len(shape) - 1,
        n_input_channels=shape[0],
        conv1_t_size=3 if small else 7,
        conv1_t_stride=2,
        no_max_pool=small,
        feed_forward=False,
        bias_downsample=False,
    )
    if settings["norm"] == "group":  # MONAI's own argument reaches the stem alone
        for parent in [*trunk.modules()]:
            for name, child in parent.named_children():
                if isinstance(child, nn.modules.batchnorm._BatchNorm):
                    setattr(parent, name, nn.GroupNorm(GROUPS, child.num_features))
    return trunk


def _transformer(name: str, settings: Mapping[str, object], shape: tuple[int, ...]) -> VisionTransformer:
    width, heads = TRANSFORMERS[name]
    patch = settings["patch"]
    if any(size % patch for size in shape[1:]):
        raise UserError(
            f"images of {' x '.join(map(str, shape[1:]))} pixels do not divide into patches of {patch}: change "
            "patch in the recipe, or images.size"
        )
    trunk = VisionTransformer(
        in_channels=shape[0],
        img_size=shape[1:],
        patch_size=patch,
        hidden_size=width,
        mlp_dim=4 * width,
        num_layers=settings.get("depth", 12),
        num_heads=heads,
        spatial_dims=len(shape) - 1,
        qkv_bias=True,
    )
    trunk.patch = patch
    for block in trunk.blocks:
        block.norm_cross_attn = nn.Identity()  # MONAI makes it without ever using it
    for module in trunk.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6  # the published weights' own
    return trunk


def features_of(trunk: nn.Module) -> int:
    """How many features the trunk gives an image."""
    return trunk.features


def head(features: int, hidden: int, embedding: int) -> nn.Sequential:
    """Linear - ReLU - Linear into the space of the contrast."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, embedding))


def _block(features: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)]


class GeneticsEncoder(nn.Module):
    """Raw values (samples, features) of one modality -> (samples, embedding). It must be given only samples that have it.

    `kind`: `linear` (one linear map into the space of the contrast), `none` (a head on the normalised values), `h1`
    and `h12` (one or two layers of Linear - ReLU - BatchNorm, then a head). In training, each normalised value is
    replaced with probability `corruption` by that of another sample of the batch (SCARF, Bahri et al., ICLR 2022),
    `noise` columns of standard normal numbers are set beside them (0 outside training), and then `dropout` falls.
    Where `perturbed` is set to False training neither replaces values nor draws noise.
    """

    def __init__(
        self,
        normaliser: Normaliser,
        kind: str,
        hidden: int,
        embedding: int,
        dropout: float,
        corruption: float = 0.0,
        noise: int = 0,
    ) -> None:
        super().__init__()
        features = len(normaliser.keep) + noise
        self.normaliser = normaliser
        self.corruption, self.noise = corruption, noise
        self.perturbed = True
        self.dropout = nn.Dropout(dropout)
        if kind == "linear":
            layers = [nn.Linear(features, embedding)]
        elif kind == "none":
            layers = [head(features, hidden, embedding)]
        else:
            deeper = _block(hidden, hidden) if kind == "h12" else []
            layers = [*_block(features, hidden), *deeper, head(hidden, hidden, embedding)]
        self.layers = nn.Sequential(*layers)

    def forward(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """(samples, features) raw, with their genetic components -> (samples, embedding)."""
        values = self.normaliser(values, components)
        if self.training and self.perturbed and self.corruption and len(values):
            values = corrupted(values, self.corruption)
        if self.noise:
            shape = len(values), self.noise
            noisy = self.training and self.perturbed
            drawn = torch.randn(shape, device=values.device) if noisy else values.new_zeros(shape)
            values = torch.cat([values, drawn], dim=1)
        return self.layers(self.dropout(values))


def corrupted(values: Tensor, share: float) -> Tensor:
    """(samples, features): each value replaced with probability `share` by that of somebody of these samples (SCARF)."""
    other = torch.randint(len(values), values.shape, device=values.device)
    swapped = torch.rand(values.shape, device=values.device) < share
    return torch.where(swapped, values.gather(0, other), values)


def genetics_encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
    """One encoder a modality. Scores and covariates are few and dense: dropout falls on the other modalities."""
    return nn.ModuleDict(
        {
            name: GeneticsEncoder(
                normaliser,
                settings["genetics_encoder"],
                settings["hidden"],
                settings["embedding"],
                0.0 if name in ("pgs", "covariates") else settings["dropout"],
                settings["corruption"],
                settings["noise"] if name == "covariates" else 0,
            )
            for name, normaliser in normalisers.items()
        }
    )


def start_from_betas(encoder: GeneticsEncoder, values: Tensor, components: Tensor, targets: Tensor) -> None:
    """Fill a `linear` encoder with GWAS betas: of each target (samples, embedding) on each normalised feature, singly.

    The betas of a target are scaled so that its column of the encoder's output has unit variance among these samples.
    """
    with torch.no_grad():
        scaled = encoder.normaliser(values, components).double()
        targets = targets.double() - targets.double().mean(dim=0)
        betas = (scaled - scaled.mean(dim=0)).T @ targets / scaled.square().sum(dim=0).clamp(min=1e-12)[:, None]
        spread = (scaled @ betas).std(dim=0).clamp(min=1e-12)
        layer = encoder.layers[0]
        layer.weight.zero_()
        layer.weight[:, : len(betas)] = (betas / spread).T.float()
        layer.bias.zero_()


def channels_last(shape: tuple[int, ...]) -> torch.memory_format:
    """The memory format in which convolutions of images of `shape` (channels, sizes …) are fast."""
    return torch.channels_last if len(shape) == 3 else torch.channels_last_3d
