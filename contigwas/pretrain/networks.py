"""Networks: the image encoder (trunk), encoders of genetics, and projection heads."""

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
STAGES = 4  # of a ResNet; a ViT returns the same number of feature maps
SMALL_IMAGE = 128  # pixels: smaller images get a 3 x 3 stem without max-pooling, which keeps their resolution
GROUPS = 8  # of GroupNorm


class VisionTransformer(ViT):
    """MONAI's ViT: (images, channels, sizes …) -> (images, features), the mean over the tokens of the last layer."""

    @property
    def features(self) -> int:
        """The number of features per image."""
        return self.norm.normalized_shape[0]

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean over tokens (images, features)."""
        tokens, _ = super().forward(images)
        return tokens.mean(dim=1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the tokens of STAGES evenly spaced blocks as (images, features, patches …); the last is normalised."""
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
        """The number of features per image."""
        return self.in_planes

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the four stages, fine to coarse: (images, channels, sizes …) each."""
        maps = self.act(self.bn1(self.conv1(images)))
        if not self.no_max_pool:
            maps = self.maxpool(maps)
        found = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
            found.append(maps)
        return found


def image_encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
    """Return the image encoder of a recipe for images of `shape` (channels, then two or three sizes).

    It maps (images, channels, sizes …) to (images, features). `settings["image_encoder"]` is a ResNet or a ViT of
    MONAI. A ResNet has `width` channels in the first stage, the normalisation `norm` (batch or group), and 8 x `width`
    features (resnet50 with its bottlenecks: 32 x). A ViT has patches of `patch` pixels and `depth` blocks. `weights`
    names a file of initial weights. Raises UserError when the image size is not a multiple of `patch`.
    """
    name = settings["image_encoder"]
    trunk = _transformer(name, settings, shape) if name in TRANSFORMERS else _resnet(name, settings, shape)
    if settings.get("weights"):
        load_weights(trunk, settings["weights"])
    return trunk


def _resnet(name: str, settings: Mapping[str, object], shape: tuple[int, ...]) -> ResidualNetwork:
    """Return a ResNet; images below SMALL_IMAGE pixels get the small stem."""
    block, layers = LAYERS[name]
    width, small = settings["width"], max(shape[1:]) < SMALL_IMAGE
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
    if settings["norm"] == "group":  # MONAI's argument applies to the stem only
        for parent in [*trunk.modules()]:
            for name, child in parent.named_children():
                if isinstance(child, nn.modules.batchnorm._BatchNorm):
                    setattr(parent, name, nn.GroupNorm(GROUPS, child.num_features))
    return trunk


def _transformer(name: str, settings: Mapping[str, object], shape: tuple[int, ...]) -> VisionTransformer:
    """Return a ViT. Raises UserError when the image size is not a multiple of the patch size."""
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
        block.norm_cross_attn = nn.Identity()  # MONAI creates it but never uses it
    for module in trunk.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6  # as in the published weights
    return trunk


def features_of(trunk: nn.Module) -> int:
    """Return the number of features per image."""
    return trunk.features


def head(features: int, hidden: int, embedding: int) -> nn.Sequential:
    """Return a projection head: Linear - ReLU - Linear."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, embedding))


def _block(features: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)]


class GeneticsEncoder(nn.Module):
    """Encoder of one modality: raw values (samples that have it, features) -> (samples, embedding).

    `kind`: `linear` (one linear map to the embedding), `none` (a head on the normalised values), `h1` and `h12` (one or
    two layers of Linear - ReLU - BatchNorm, then a head).

    In training, each normalised value is replaced with probability `corruption` by the value of another sample of the
    batch (SCARF, Bahri et al., ICLR 2022). Then `noise` columns of standard normal numbers are appended (zeros outside
    training), and `dropout` is applied. With `perturbed` set to False, training neither replaces values nor adds noise.
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
        """Encode raw values (samples, features), with the samples' genetic components, as (samples, embedding)."""
        values = self.normaliser(values, components)
        if self.training and self.perturbed and self.corruption and len(values):
            values = corrupt(values, self.corruption)
        if self.noise:
            shape = len(values), self.noise
            noisy = self.training and self.perturbed
            noise = torch.randn(shape, device=values.device) if noisy else values.new_zeros(shape)
            values = torch.cat([values, noise], dim=1)
        return self.layers(self.dropout(values))


def corrupt(values: Tensor, share: float) -> Tensor:
    """Replace each value of (samples, features) with probability `share` by that of a random sample (SCARF)."""
    other = torch.randint(len(values), values.shape, device=values.device)
    swapped = torch.rand(values.shape, device=values.device) < share
    return torch.where(swapped, values.gather(0, other), values)


def genetics_encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
    """Return one encoder per modality. Scores and covariates are few and dense, so they get no dropout."""
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
    """Initialise a `linear` encoder with GWAS betas: marginal effects of the normalised features on the targets.

    The betas of each target (samples, embedding) are scaled so that its column of the encoder's output has unit
    variance among these samples.
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
    """Return the memory format in which convolutions of images of `shape` (channels, sizes …) are fast."""
    return torch.channels_last if len(shape) == 3 else torch.channels_last_3d
