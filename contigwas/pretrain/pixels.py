"""Principal components of pixels: the image encoder that needs no training, and a target for GWAS betas."""

import logging

import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from torch.nn import functional

from contigwas.images.array import Photographs
from contigwas.pretrain.normalise import PixelScaler

log = logging.getLogger(__name__)
AT_MOST = 4096  # images that components are fitted on
SIDE = {2: 32, 3: 16}  # pixels a side that a photograph, or a volume, is averaged down to before


class PixelComponents(nn.Module):
    """(images, channels, sizes …) -> (images, components): a fixed linear map of the averaged-down pixels.

    Buffers: mean (pixels,), loadings (components, pixels).
    """

    def __init__(self, shape: tuple[int, ...], components: int) -> None:
        super().__init__()
        channels, *sizes = shape
        self.sizes = [min(size, SIDE[len(sizes)]) for size in sizes]
        pixels = channels * int(torch.tensor(self.sizes).prod())
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("loadings", torch.zeros(components, pixels))

    @property
    def features(self) -> int:
        """How many components there are."""
        return len(self.loadings)

    def flat(self, images: Tensor) -> Tensor:
        """(images, pixels) after the averaging."""
        pool = functional.adaptive_avg_pool2d if len(self.sizes) == 2 else functional.adaptive_avg_pool3d
        return pool(images, self.sizes).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the components."""
        return (self.flat(images) - self.mean) @ self.loadings.T


def fit_components(
    photographs: Photographs, images: Tensor, pixels: PixelScaler, components: int, seed: int
) -> PixelComponents:
    """The components of at most 4,096 of `images` (positions), evenly spread; rows past their rank are 0."""
    some = images[torch.linspace(0, len(images) - 1, min(AT_MOST, len(images))).round().long()]
    fitted = PixelComponents(photographs.shape, components)
    flat = torch.cat([fitted.flat(pixels(photographs.gather(part).float() / 255)) for part in some.split(256)])
    fitted.mean.copy_(flat.mean(dim=0))
    rank = min(components, len(flat) - 1, flat.shape[1])
    if rank < components:
        log.warning("%d images of %d pixels have %d components: the others are 0", *flat.shape, rank)
    _, _, loadings = randomized_svd((flat - fitted.mean).double().numpy(), rank, random_state=seed % 2**32)
    fitted.loadings[:rank] = torch.from_numpy(loadings.copy())
    return fitted
