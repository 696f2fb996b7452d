"""MONAI's autoencoder in two halves: what codes an image as a latent vector, and what draws the image back from it."""

import math

import torch
from monai.networks.nets import VarAutoEncoder
from torch import Tensor, nn

COARSEST = 4  # pixels a side, about, of the map that becomes the latent vector
MOST = 8  # times the first level's channels have the last ones


class LatentEncoder(nn.Module):
    """(images, channels, sizes …) -> (images, latent): of a variational autoencoder, the mean of the posterior."""

    def __init__(self, whole: VarAutoEncoder, variational: bool) -> None:
        super().__init__()
        self.encode, self.mean = whole.encode, whole.mu
        self.log_variance = whole.logvar if variational else None

    @property
    def features(self) -> int:
        """Dimensions of the latent vector."""
        return self.mean.out_features

    def forward(self, images: Tensor) -> Tensor:
        """The latent vector."""
        return self.mean(self.encode(images).flatten(1))

    def compile(self, *arguments: object, **keywords: object) -> None:
        """Compile the convolutions, which training calls without `forward`."""
        self.encode.compile(*arguments, **keywords)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (images, latent), in full precision, of a variational autoencoder."""
        coded = self.encode(images).flatten(1)
        return self.mean(coded).float(), self.log_variance(coded).float()


class LatentDecoder(nn.Module):
    """(images, latent) -> (images, channels, sizes …) as the pixel scaler gives them."""

    def __init__(self, whole: VarAutoEncoder, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.widen, self.decode = whole.decodeL, whole.decode
        self.start = (whole.channels[-1], *(int(size) for size in whole.final_size))
        self.sizes = sizes

    def forward(self, latent: Tensor) -> Tensor:
        """The image; halved odd sizes come back one pixel larger, which is cut off."""
        maps = torch.relu(self.widen(latent)).unflatten(1, self.start)
        return self.decode(maps)[(..., *(slice(size) for size in self.sizes))]


def latent_coder(
    shape: tuple[int, ...], latent: int, width: int, units: int, variational: bool
) -> tuple[LatentEncoder, LatentDecoder]:
    """Both halves of MONAI's VarAutoEncoder for images of `shape` (channels, then two or three sizes).

    Convolutions halve the image until it is about 4 pixels a side; `width` channels in the first level, twice as many
    in each that follows, at most 8 times, `units` residual units in each. Without `variational` there is no variance:
    an ordinary autoencoder.
    """
    channels, *sizes = shape
    levels = max(2, round(math.log2(max(sizes) / COARSEST)))
    whole = VarAutoEncoder(
        spatial_dims=len(sizes),
        in_shape=shape,
        out_channels=channels,
        latent_size=latent,
        channels=[width * min(2**level, MOST) for level in range(levels)],
        strides=[2] * levels,
        num_res_units=units,
        norm="batch",
        use_sigmoid=False,
    )
    return LatentEncoder(whole, variational), LatentDecoder(whole, tuple(sizes))
