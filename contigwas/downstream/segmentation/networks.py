"""The networks: a light decoder over a trunk's feature maps, with genes or without, and MONAI's UNETR and U-Net."""

from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers import Conv
from monai.networks.nets import UNETR, UNet
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.normalise import PixelScaler

HEADS = 4  # of the attention
STEM = (4, 2, 1)  # the widths of the stem's maps at full, half and a quarter of the size: the decoder's, divided by
ABSENT = 0.1  # share of the samples whose genes are left out in training, so that the null embedding is learned
UNET = (16, 32, 64, 128)  # channels
TRANSFORMER = {"hidden_size": 192, "mlp_dim": 768, "num_heads": 3, "feature_size": 16}  # of UNETR: as of a ViT-tiny


class Genes(nn.Module):
    """The encoder of a modality, and what stands for it in samples that have none: a learned vector.

    With `tokens` it gives what the encoder says of every token of the genes, else the pooled embedding.
    """

    def __init__(self, encoder: nn.Module, width: int, tokens: bool) -> None:
        super().__init__()
        self.encoder, self.tokens, self.width = encoder, tokens, width
        self.null = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)

    def forward(self, values: Tensor, components: Tensor, here: Tensor) -> Tensor:
        """Raw values (samples that have them, features) -> (samples, width) or (samples, tokens, width).

        `here` is bool (samples,): who has them. In training some samples' are left out.
        """
        if self.training and len(values):
            kept = torch.rand(len(values), device=values.device) >= ABSENT
            values, components = values[kept], components[kept]
            here = here.clone().masked_scatter_(here, kept)
        if not len(values):
            return self.null.expand(len(here), *([1] if self.tokens else []), self.width)
        found = self.encoder.tokens(values, components) if self.tokens else self.encoder(values, components)
        found = self.norm(found.float())
        result = self.null.expand(len(here), *found.shape[1:]).clone()
        result[here] = found
        return result


class Film(nn.Module):
    """Feature-wise linear modulation (Perez et al., AAAI 2018): each channel scaled and shifted by the genes.

    It begins as the identity.
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
    """Every place of the features asks the tokens of the genes (Vaswani et al., 2017), and adds what they answer."""

    def __init__(self, width: int, genes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ask = nn.MultiheadAttention(width, HEADS, kdim=genes, vdim=genes, batch_first=True)

    def forward(self, features: Tensor, genes: Tensor) -> Tensor:
        """Features (images, width, sizes …) and tokens (images, tokens, genes)."""
        places = features.flatten(2).transpose(1, 2)
        answer, _ = self.ask(self.norm(places), genes, genes, need_weights=False)
        return features + answer.transpose(1, 2).unflatten(2, features.shape[2:])


FUSION = {"film": Film, "cross_attention": CrossAttention}
EVERYWHERE = {"film"}  # what modulates every map of the decoder; attention among all pixels would be dear


class Light(nn.Module):
    """Levels (images, channels, sizes …) -> logits (images, classes, sizes …); class 0 is background.

    The trunk's maps are projected to one width and summed from coarse to fine; the genes come in at the coarsest by
    cross-attention, or by FiLM at every map of the decoder. A small stem of convolutions on the image itself gives the
    resolution that a trunk has lost.
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
        with torch.no_grad():  # in evaluation, so that no statistics move
            channels = [one.shape[1] for one in trunk.eval().maps(torch.zeros(1, *shape))]
        self.laterals = nn.ModuleList(kind(count, width, 1) for count in channels)
        self.smooth = nn.ModuleList(_block(dimensions, width, width) for _ in channels[1:])
        stem = [width // part for part in STEM]
        widths = [width, *[width for _ in channels[1:]], *stem[::-1]]  # of the decoder's maps, coarse to fine
        places = widths if fusion in EVERYWHERE else widths[:1]
        self.fusion = nn.ModuleList(FUSION[fusion](one, genes.width) for one in places if genes is not None)
        sources = zip([shape[0], *stem], stem, (1, 2, 2), strict=False)
        self.stem = nn.ModuleList(_block(dimensions, before, after, stride) for before, after, stride in sources)
        # reduced to few channels before they grow in size: at full resolution every channel is dear
        self.narrow = nn.ModuleList(
            kind(coarse, fine, 1) for coarse, fine in zip([width, *stem[:0:-1]], stem[::-1], strict=True)
        )
        self.up = nn.ModuleList(_block(dimensions, fine, fine) for fine in stem[::-1])
        self.last = kind(stem[0], classes, 1)
        for part in self.learned:
            part.requires_grad_(not freeze)
        self.train()  # a trunk that was read from a checkpoint comes in evaluation

    @property
    def learned(self) -> list[nn.Module]:
        """What pretraining may have learned: trunk and encoder of the genes."""
        return [self.trunk, *([self.genes.encoder] if self.genes is not None else [])]

    def train(self, mode: bool = True) -> "Light":
        """What is frozen stays as in evaluation, as does a BatchNorm of the genes: a batch may have one sample."""
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
        """`genes`: values, components and who has them, as of `Genes`."""
        images = self.pixels(levels)
        *finer, coarsest = self.trunk.maps(images)
        known = self.genes(*genes) if self.genes is not None else None
        fusions = iter(self.fusion)

        def fused(features: Tensor) -> Tensor:
            fusion = next(fusions, None)
            return features if fusion is None else fusion(features, known)

        here = fused(self.laterals[-1](coarsest))
        for lateral, smooth, one in zip(
            list(self.laterals)[-2::-1], reversed(self.smooth), reversed(finer), strict=True
        ):
            here = fused(smooth(_to(here, one) + lateral(one)))
        levels_of_stem = []
        for block in self.stem:
            images = block(images)
            levels_of_stem.append(images)
        for narrow, block, one in zip(self.narrow, self.up, reversed(levels_of_stem), strict=True):
            here = fused(block(_to(narrow(here), one) + one))
        return self.last(here)


class Plain(nn.Module):
    """A network of MONAI's from scratch on scaled pixels: it takes no genes."""

    def __init__(self, pixels: PixelScaler, network: nn.Module) -> None:
        super().__init__()
        self.pixels, self.network = pixels, network

    learned: tuple[nn.Module, ...] = ()

    def forward(self, levels: Tensor, genes: None = None) -> Tensor:
        """Logits (images, classes, sizes …)."""
        return self.network(self.pixels(levels))


def unet(shape: Sequence[int], classes: int) -> UNet:
    """MONAI's residual U-Net of four levels."""
    return UNet(
        spatial_dims=len(shape) - 1, in_channels=shape[0], out_channels=classes, channels=UNET, strides=(2, 2, 2),
        num_res_units=2,
    )  # fmt: skip


def unetr(shape: Sequence[int], classes: int) -> UNETR:
    """MONAI's UNETR (12 blocks, patches of 16), as narrow as a ViT-tiny."""
    return UNETR(
        in_channels=shape[0],
        out_channels=classes,
        img_size=tuple(shape[1:]),
        spatial_dims=len(shape) - 1,
        **TRANSFORMER,
    )


def _block(dimensions: int, before: int, after: int, stride: int = 1) -> nn.Module:
    """3 x 3 convolution - GroupNorm - ReLU: no statistics of a batch, which may be small."""
    return Convolution(
        dimensions, before, after, strides=stride, kernel_size=3, act="RELU", bias=False, adn_ordering="NA",
        norm=("GROUP", {"num_groups": 4, "num_channels": after}),
    )  # fmt: skip


def _to(features: Tensor, other: Tensor) -> Tensor:
    """The features at the size of `other`, by linear interpolation."""
    if features.shape[2:] == other.shape[2:]:
        return features
    mode = "bilinear" if features.ndim == 4 else "trilinear"
    return functional.interpolate(features, other.shape[2:], mode=mode, align_corners=False)
