"""Segmentation networks: a light decoder on the maps of a trunk, optionally with genes, and MONAI UNETR and U-Net."""

from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers import Conv
from monai.networks.nets import UNETR, UNet
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.normalise import PixelScaler

HEADS = 4  # of the cross-attention
STEM = (4, 2, 1)  # widths of the stem at full, half and quarter size: width of the decoder divided by these
GENE_DROPOUT = 0.1  # share of samples without genes in training, so that the null embedding is learned
UNET = (16, 32, 64, 128)  # channels
TRANSFORMER = {"hidden_size": 192, "mlp_dim": 768, "num_heads": 3, "feature_size": 16}  # of UNETR, as in ViT-tiny


class Genes(nn.Module):
    """Encoder of a genetic modality, with a learned null embedding for samples without it.

    With `tokens` it returns the embeddings of all tokens, otherwise the pooled embedding.
    """

    def __init__(self, encoder: nn.Module, width: int, tokens: bool) -> None:
        super().__init__()
        self.encoder, self.tokens, self.width = encoder, tokens, width
        self.null = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)

    def forward(self, values: Tensor, components: Tensor, present: Tensor) -> Tensor:
        """Raw values (present samples, features) -> (samples, width) or (samples, tokens, width).

        `present` is bool (samples,): whether the sample has values. In training, values of some samples are dropped.
        """
        if self.training and len(values):
            kept = torch.rand(len(values), device=values.device) >= GENE_DROPOUT
            values, components = values[kept], components[kept]
            present = present.clone().masked_scatter_(present, kept)
        if not len(values):
            return self.null.expand(len(present), *([1] if self.tokens else []), self.width)
        embedded = self.encoder.tokens(values, components) if self.tokens else self.encoder(values, components)
        embedded = self.norm(embedded.float())
        result = self.null.expand(len(present), *embedded.shape[1:]).clone()
        result[present] = embedded
        return result


class Film(nn.Module):
    """Feature-wise linear modulation (Perez et al., AAAI 2018): genes scale and shift each channel.

    It is initialised as the identity.
    """

    def __init__(self, width: int, genes: int) -> None:
        super().__init__()
        self.line = nn.Linear(genes, 2 * width)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    def forward(self, features: Tensor, genes: Tensor) -> Tensor:
        """Features (images, width, sizes …) and genes (images, genes)."""
        scale, shift = self.line(genes).view(len(genes), -1, *[1] * (features.ndim - 2)).chunk(2, dim=1)
        return features * (1 + scale) + shift


class CrossAttention(nn.Module):
    """Residual cross-attention (Vaswani et al., 2017) from positions of the map (queries) to gene tokens."""

    def __init__(self, width: int, genes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, HEADS, kdim=genes, vdim=genes, batch_first=True)

    def forward(self, features: Tensor, genes: Tensor) -> Tensor:
        """Features (images, width, sizes …) and tokens (images, tokens, genes)."""
        places = features.flatten(2).transpose(1, 2)
        attended, _ = self.attention(self.norm(places), genes, genes, need_weights=False)
        return features + attended.transpose(1, 2).unflatten(2, features.shape[2:])


FUSION = {"film": Film, "cross_attention": CrossAttention}
AT_EVERY_MAP = {"film"}  # applied to every map of the decoder; attention at full resolution would be too expensive


class Light(nn.Module):
    """Levels (images, channels, sizes …) -> logits (images, classes, sizes …); class 0 is background.

    The maps of the trunk are projected to one width and summed from coarse to fine. Genes are fused by cross-attention
    at the coarsest map, or by FiLM at every map of the decoder. A small convolutional stem on the image adds the
    resolution that the trunk does not have.
    """

    def __init__(
        self,
        pixels: PixelScaler,
        trunk: nn.Module,
        shape: Sequence[int],
        classes: int,
        width: int,
        fusion: str = "none",
        genes: Genes | None = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        self.pixels, self.trunk, self.genes, self.freeze = pixels, trunk, genes, freeze
        dimensions = len(shape) - 1
        kind = Conv[Conv.CONV, dimensions]
        with torch.no_grad():  # evaluation mode, so that no running statistics change
            channels = [one.shape[1] for one in trunk.eval().maps(torch.zeros(1, *shape))]
        self.laterals = nn.ModuleList(kind(count, width, 1) for count in channels)
        self.smooth = nn.ModuleList(_block(dimensions, width, width) for _ in channels[1:])
        stem = [width // part for part in STEM]
        widths = [width, *[width for _ in channels[1:]], *stem[::-1]]  # of the decoder's maps, coarse to fine
        places = widths if fusion in AT_EVERY_MAP else widths[:1]
        self.fusion = nn.ModuleList(FUSION[fusion](one, genes.width) for one in places if genes is not None)
        sources = zip([shape[0], *stem], stem, (1, 2, 2), strict=False)
        self.stem = nn.ModuleList(_block(dimensions, before, after, stride) for before, after, stride in sources)
        # channels are reduced before upsampling, because each channel is expensive at full resolution
        self.narrow = nn.ModuleList(
            kind(coarse, fine, 1) for coarse, fine in zip([width, *stem[:0:-1]], stem[::-1], strict=True)
        )
        self.up = nn.ModuleList(_block(dimensions, fine, fine) for fine in stem[::-1])
        self.last = kind(stem[0], classes, 1)
        for part in self.learned:
            part.requires_grad_(not freeze)
        self.train()  # a trunk from a checkpoint is in evaluation mode

    @property
    def learned(self) -> list[nn.Module]:
        """Modules that can be pretrained: the trunk and the encoder of the genes."""
        return [self.trunk, *([self.genes.encoder] if self.genes is not None else [])]

    def train(self, mode: bool = True) -> "Light":
        """Set the mode. Frozen modules, and BatchNorm of genes (batches of one sample), stay in evaluation mode."""
        super().train(mode)
        if self.freeze:
            for part in self.learned:
                part.eval()
        elif self.genes is not None:
            for part in self.genes.encoder.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()
        return self

    def forward(self, levels: Tensor, genes: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
        """Return logits; `genes` are the arguments of `Genes`: values, components and present."""
        images = self.pixels(levels)
        *finer, coarsest = self.trunk.maps(images)
        embedded = self.genes(*genes) if self.genes is not None else None
        fusions = iter(self.fusion)

        def fused(features: Tensor) -> Tensor:
            fusion = next(fusions, None)
            return features if fusion is None else fusion(features, embedded)

        decoded = fused(self.laterals[-1](coarsest))
        for lateral, smooth, one in zip(
            list(self.laterals)[-2::-1], reversed(self.smooth), reversed(finer), strict=True
        ):
            decoded = fused(smooth(_resize_to(decoded, one) + lateral(one)))
        levels_of_stem = []
        for block in self.stem:
            images = block(images)
            levels_of_stem.append(images)
        for narrow, block, one in zip(self.narrow, self.up, reversed(levels_of_stem), strict=True):
            decoded = fused(block(_resize_to(narrow(decoded), one) + one))
        return self.last(decoded)


class Plain(nn.Module):
    """A MONAI network on scaled pixels, trained from scratch and without genes."""

    def __init__(self, pixels: PixelScaler, network: nn.Module) -> None:
        super().__init__()
        self.pixels, self.network = pixels, network

    learned: tuple[nn.Module, ...] = ()

    def forward(self, levels: Tensor, genes: None = None) -> Tensor:
        """Return logits (images, classes, sizes …)."""
        return self.network(self.pixels(levels))


def unet(shape: Sequence[int], classes: int) -> UNet:
    """Return MONAI's residual U-Net with four levels."""
    return UNet(
        spatial_dims=len(shape) - 1, in_channels=shape[0], out_channels=classes, channels=UNET, strides=(2, 2, 2),
        num_res_units=2,
    )  # fmt: skip


def unetr(shape: Sequence[int], classes: int) -> UNETR:
    """Return MONAI's UNETR (12 blocks, patches of 16 pixels) with the width of ViT-tiny."""
    return UNETR(
        in_channels=shape[0],
        out_channels=classes,
        img_size=tuple(shape[1:]),
        spatial_dims=len(shape) - 1,
        **TRANSFORMER,
    )


def _block(dimensions: int, before: int, after: int, stride: int = 1) -> nn.Module:
    """Return a 3 x 3 convolution, GroupNorm (batches are too small for BatchNorm) and ReLU."""
    return Convolution(
        dimensions, before, after, strides=stride, kernel_size=3, act="RELU", bias=False, adn_ordering="NA",
        norm=("GROUP", {"num_groups": 4, "num_channels": after}),
    )  # fmt: skip


def _resize_to(features: Tensor, other: Tensor) -> Tensor:
    """Return the features at the size of `other` by linear interpolation."""
    if features.shape[2:] == other.shape[2:]:
        return features
    mode = "bilinear" if features.ndim == 4 else "trilinear"
    return functional.interpolate(features, other.shape[2:], mode=mode, align_corners=False)
