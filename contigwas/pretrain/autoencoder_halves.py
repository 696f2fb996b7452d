"""Encoder and decoder of MONAI's VarAutoEncoder as separate modules."""

import math

import torch
from monai.networks.nets import VarAutoEncoder
from torch import Tensor, nn

COARSEST_SIZE = 4  # approximate pixels per side of the feature map that is flattened into the latent vector
MAX_WIDENING = 8  # maximum ratio of a level's channels to those of the first level


class LatentEncoder(nn.Module):
    """Encode (images, channels, sizes …) as (images, latent); a variational autoencoder gives the posterior mean."""

    def __init__(self, autoencoder: VarAutoEncoder, variational: bool) -> None:
        super().__init__()
        self.encode, self.mean = autoencoder.encode, autoencoder.mu
        self.log_variance = autoencoder.logvar if variational else None

    @property
    def features(self) -> int:
        """Dimensions of the latent vector."""
        return self.mean.out_features

    def forward(self, images: Tensor) -> Tensor:
        """Return the latent vectors (images, latent)."""
        return self.mean(self.encode(images).flatten(1))

    def compile(self, *arguments: object, **keywords: object) -> None:
        """Compile the convolutions, because `posterior` bypasses `forward` in training."""
        self.encode.compile(*arguments, **keywords)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (images, latent) of the posterior of a variational autoencoder, as float32."""
        hidden = self.encode(images).flatten(1)
        return self.mean(hidden).float(), self.log_variance(hidden).float()


class LatentDecoder(nn.Module):
    """Decode (images, latent) to scaled levels (images, channels, sizes …)."""

    def __init__(self, autoencoder: VarAutoEncoder, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.widen, self.decode = autoencoder.decodeL, autoencoder.decode
        self.start = (autoencoder.channels[-1], *(int(size) for size in autoencoder.final_size))
        self.sizes = sizes

    def forward(self, latent: Tensor) -> Tensor:
        """Return the images, cropped to `sizes`: the strided convolutions return odd sizes one pixel larger."""
        maps = torch.relu(self.widen(latent)).unflatten(1, self.start)
        return self.decode(maps)[(..., *(slice(size) for size in self.sizes))]


def latent_coder(
    shape: tuple[int, ...], latent: int, width: int, units: int, variational: bool
) -> tuple[LatentEncoder, LatentDecoder]:
    """Return encoder and decoder of MONAI's VarAutoEncoder for images of `shape` (channels, then two or three sizes).

    Convolutions halve the image until it is about 4 pixels per side. The first level has `width` channels; each further
    level has twice as many, up to 8 x `width`. Each level has `units` residual units. Without `variational` there is no
    variance: an ordinary autoencoder.
    """
    channels, *sizes = shape
    levels = max(2, round(math.log2(max(sizes) / COARSEST_SIZE)))
    autoencoder = VarAutoEncoder(
        spatial_dims=len(sizes),
        in_shape=shape,
        out_channels=channels,
        latent_size=latent,
        channels=[width * min(2**level, MAX_WIDENING) for level in range(levels)],
        strides=[2] * levels,
        num_res_units=units,
        norm="batch",
        use_sigmoid=False,
    )
    return LatentEncoder(autoencoder, variational), LatentDecoder(autoencoder, tuple(sizes))
