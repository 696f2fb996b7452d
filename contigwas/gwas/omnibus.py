"""One p-value over many features: Bonferroni's minimum and the Cauchy combination, from -log10 p, in log space."""

import numpy as np
import torch

LN10 = float(np.log(10.0))
SMALL = 8.0  # -log10 p from which cot(pi p) is 1/(pi p) to double precision
LEAST_REST = 1e-12  # of 1 - p: cot(pi) is minus infinity


def minp(log10p: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    """-log10 of min(1, P x the smallest p), (variants,), of `log10p` (variants, features).

    P counts the features that are not NaN; NaN where there is none. Tensors give a tensor, arrays an array.
    """
    if not isinstance(log10p, torch.Tensor):
        return minp(torch.as_tensor(log10p)).numpy()
    absent = log10p.isnan()
    count = log10p.shape[1] - absent.sum(1)
    best = log10p.masked_fill(absent, -torch.inf).amax(1)
    return (best - count.clamp(min=1).log10()).clamp(min=0).masked_fill(count == 0, torch.nan)


def acat(log10p: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    """-log10 p of the Cauchy combination with equal weights, (variants,), of `log10p` (variants, features).

    T = mean cot(pi p), p = atan2(1, T) / pi (Liu and Xie 2020, JASA 115:393). P-values below 1e-8 enter as 1/(pi p)
    in a log-sum-exp, p is at most 1 - 1e-12. NaN where no feature has a p. Tensors give a tensor, arrays an array.
    """
    if not isinstance(log10p, torch.Tensor):
        return acat(torch.as_tensor(log10p)).numpy()
    absent = log10p.isnan()
    count = log10p.shape[1] - absent.sum(1)
    small = log10p > SMALL
    apart = small | absent
    logs = log10p.masked_fill(apart, 1.0).mul_(-LN10)
    p = logs.exp()
    # Near p = 1 the angle is measured from there, which 1 - p in float64 could not tell.
    near_one = p > 0.5
    angle = torch.where(near_one, logs.expm1_().neg_().clamp_(min=LEAST_REST), p).mul_(np.pi)
    cot = angle.tan_().reciprocal_()
    rest = torch.where(near_one, -cot, cot).masked_fill_(apart, 0.0).sum(1)
    if small.any():
        logs = (log10p * LN10 - np.log(np.pi)).masked_fill_(~small, -torch.inf)
        shift = logs.amax(1).clamp_(min=0)
        total = (logs - shift[:, None]).exp().sum(1) + rest * (-shift).exp()
    else:
        shift, total = torch.zeros_like(rest), rest
    total = total / count.clamp(min=1)
    far = total.log() + shift  # log T, where T is positive
    value = total * shift.clamp(max=700.0).exp()
    near = -(torch.atan2(torch.ones_like(value), value) / np.pi).log10()
    result = torch.where((total > 0) & (far > SMALL * LN10), (far + np.log(np.pi)) / LN10, near)
    return result.clamp(min=0).masked_fill(count == 0, torch.nan)
