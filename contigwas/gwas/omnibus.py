"""Tests over features: Bonferroni-corrected minimum p and Cauchy combination, computed from -log10 p."""

import numpy as np
import torch

LN10 = float(np.log(10.0))
SMALL = 8.0  # above this -log10 p, cot(pi p) equals 1/(pi p) to double precision
MIN_COMPLEMENT = 1e-12  # minimum of 1 - p, because cot(pi) is minus infinity


def minp(log10p: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    """Return -log10 of min(1, P x minimum p) of `log10p` (variants, features): float64 (variants,).

    P is the number of features that are not NaN; the result is NaN if there are none. A tensor gives a tensor, an array
    an array.
    """
    if not isinstance(log10p, torch.Tensor):
        return minp(torch.as_tensor(log10p)).numpy()
    missing = log10p.isnan()
    count = log10p.shape[1] - missing.sum(1)
    best = log10p.masked_fill(missing, -torch.inf).amax(1)
    return (best - count.clamp(min=1).log10()).clamp(min=0).masked_fill(count == 0, torch.nan)


def acat(log10p: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    """Return -log10 p of the Cauchy combination (ACAT) of `log10p` (variants, features): float64 (variants,).

    T = mean cot(pi p), p = atan2(1, T) / pi, with equal weights (Liu and Xie 2020, JASA 115:393). P-values below 1e-8
    enter a log-sum-exp as 1/(pi p); p is at most 1 - 1e-12. The result is NaN if no feature has a p-value. A tensor
    gives a tensor, an array an array.
    """
    if not isinstance(log10p, torch.Tensor):
        return acat(torch.as_tensor(log10p)).numpy()
    missing = log10p.isnan()
    count = log10p.shape[1] - missing.sum(1)
    small = log10p > SMALL
    excluded = small | missing
    logs = log10p.masked_fill(excluded, 1.0).mul_(-LN10)
    p = logs.exp()
    # Near p = 1 the angle is computed from 1 - p by expm1, because float64 cannot resolve p there.
    near_one = p > 0.5
    angle = torch.where(near_one, logs.expm1_().neg_().clamp_(min=MIN_COMPLEMENT), p).mul_(np.pi)
    cot = angle.tan_().reciprocal_()
    rest = torch.where(near_one, -cot, cot).masked_fill_(excluded, 0.0).sum(1)
    if small.any():
        logs = (log10p * LN10 - np.log(np.pi)).masked_fill_(~small, -torch.inf)
        shift = logs.amax(1).clamp_(min=0)
        total = (logs - shift[:, None]).exp().sum(1) + rest * (-shift).exp()
    else:
        shift, total = torch.zeros_like(rest), rest
    total = total / count.clamp(min=1)
    far = total.log() + shift  # log T where T is positive
    value = total * shift.clamp(max=700.0).exp()
    near = -(torch.atan2(torch.ones_like(value), value) / np.pi).log10()
    result = torch.where((total > 0) & (far > SMALL * LN10), (far + np.log(np.pi)) / LN10, near)
    return result.clamp(min=0).masked_fill(count == 0, torch.nan)
