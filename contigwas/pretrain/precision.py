"""Full precision inside a network that runs in half precision."""

import torch
from torch import Tensor


def exactly(values: Tensor) -> torch.autocast:
    """Return a context without autocast on the device of `values`.

    bfloat16 has 8 significant bits. Cosines divided by a temperature of 0.1, rotations of images and regressions on
    components need more.
    """
    return torch.autocast(values.device.type, enabled=False)
