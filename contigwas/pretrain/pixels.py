"""Principal components of pixels: an image encoder without training, and targets for GWAS betas."""

import logging

import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from torch.nn import functional

from contigwas.images.array import Photographs
from contigwas.pretrain.normalise import PixelScaler

log = logging.getLogger(__name__)
MAX_IMAGES = 4096  # images that the components are fitted to
SIDE = {2: 32, 3: 16}  # pixels per side after average pooling, by number of dimensions


class PixelComponents(nn.Module):
    """A fixed linear map of average-pooled pixels: (images, channels, sizes …) -> (images, components).

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
        """The number of components."""
        return len(self.loadings)

    def flat(self, images: Tensor) -> Tensor:
        """Return the average-pooled pixels (images, pixels)."""
        pool = functional.adaptive_avg_pool2d if len(self.sizes) == 2 else functional.adaptive_avg_pool3d
        return pool(images, self.sizes).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the component scores (images, components)."""
        return (self.flat(images) - self.mean) @ self.loadings.T


def fit_components(
    photographs: Photographs, images: Tensor, pixels: PixelScaler, components: int, seed: int
) -> PixelComponents:
    """Fit the components to at most 4,096 of `images` (positions), evenly spaced; components beyond the rank are 0."""
    subset = images[torch.linspace(0, len(images) - 1, min(MAX_IMAGES, len(images))).round().long()]
    fitted = PixelComponents(photographs.shape, components)
    flat = torch.cat([fitted.flat(pixels(photographs.gather(part).float() / 255)) for part in subset.split(256)])
    fitted.mean.copy_(flat.mean(dim=0))
    rank = min(components, len(flat) - 1, flat.shape[1])
    if rank < components:
        log.warning("%d images of %d pixels have rank %d: the remaining components are 0", *flat.shape, rank)
    _, _, loadings = randomized_svd((flat - fitted.mean).double().numpy(), rank, random_state=seed % 2**32)
    fitted.loadings[:rank] = torch.from_numpy(loadings.copy())
    return fitted
