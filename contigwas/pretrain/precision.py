"""Where a network runs in half precision, what does not bear it."""

import torch
from torch import Tensor


def exactly(values: Tensor) -> torch.autocast:
    """A context without autocast on the device of `values`: a bfloat16 has 8 bits.

    Cosines over a temperature of 0.1, rotations of images and regressions on components need more.
    """
    return torch.autocast(values.device.type, enabled=False)
