"""Attributions of a loss to the inputs of an encoder, by captum, each with how far it is from complete."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from captum.attr import DeepLift, IntegratedGradients, NoiseTunnel
from torch import Tensor, nn

COMPLETE = 0.01  # of the difference of the losses: where more is missing, more steps are taken,
MOST = 64  # so many times those of the settings at most
SMOOTH = 256  # steps: where more are needed the loss has kinks, on which Gauss and Legendre's points gain nothing
FLOOR = 0.1  # of the mean difference: whoever's losses are all but equal has no relative error of their own

Loss = Callable[[Tensor, Tensor], Tensor]  # embeddings of genetics and of images (samples, width) -> (samples,)


@dataclass(frozen=True)
class Attribution:
    """Attributions of some samples, in nats.

    values: (samples, features), or (samples, channels, sizes …) of images; difference: (samples,), loss at the input minus
    loss at the baseline; error: (samples,), the sum of the values minus that difference; steps: the most that were
    taken.
    """

    values: Tensor
    difference: Tensor
    error: Tensor
    steps: int


@dataclass(frozen=True)
class Noise:
    """Normal noise on the inputs, over whose `samples` integrated gradients are averaged; sd in SD of the feature."""

    samples: int
    sd: float
    seed: int


def relative(error: Tensor, difference: Tensor) -> Tensor:
    """|error| / |difference| (samples,); a difference below a tenth of the mean one counts as that tenth."""
    size = difference.abs()
    return error.abs() / size.clamp(min=float(FLOOR * size.mean())).clamp(min=1e-12)


def refined(attribute: Callable[[Tensor, int], Attribution], samples: int, steps: int) -> Attribution:
    """`attribute(who, steps)` of samples 0 … samples - 1, again with twice the steps for those who are not complete."""
    result = attribute(torch.arange(samples), steps)
    values, difference, error, taken = result.values, result.difference, result.error, steps
    while taken < MOST * steps:
        again = torch.nonzero(relative(error, difference) > COMPLETE).flatten()
        if not len(again):
            break
        taken *= 2
        better = attribute(again, taken)
        values[again], difference[again], error[again] = better.values, better.difference, better.error
    return Attribution(values, difference, error, taken)


def integrated_gradients(
    encoder: nn.Module,
    loss: Loss,
    inputs: Tensor,
    baselines: Tensor,
    images: Tensor,
    steps: int,
    rows: int,
    noise: Noise | None = None,
) -> Attribution:
    """Along straight lines from `baselines` to `inputs`, `rows` points in memory at a time.

    With noise the average over noisy inputs, and the difference is the average over them. Through a linear encoder a
    straight line stays straight, so that the integral is taken over embeddings, and propagated to the inputs once by the
    chain rule: the same numbers without an encoder at every point. Sundararajan et al., ICML 2017; Smilkov et al., 2017
    (SmoothGrad).
    """
    if noise is None and linear(encoder):
        return _linear(encoder, loss, inputs, baselines, images, steps, rows)

    def forward(values: Tensor, images: Tensor) -> Tensor:
        return loss(encoder(values), images)

    def attribute(who: Tensor, steps: int) -> Attribution:
        keywords = {
            "baselines": baselines[who],
            "additional_forward_args": (images[who],),
            "n_steps": steps,
            "method": "gausslegendre" if steps <= SMOOTH else "riemann_middle",
            "internal_batch_size": max(rows, len(who)),
            "return_convergence_delta": True,
        }
        method = IntegratedGradients(forward)
        if noise is None:
            values, error = method.attribute(inputs[who], **keywords)
        else:
            values, error = _smoothed(NoiseTunnel(method), inputs[who], noise, keywords)
        values, error = values.detach().float(), error.detach().float()
        return Attribution(values, values.flatten(1).sum(dim=1) - error, error, steps)

    return refined(attribute, len(inputs), steps)


def linear(encoder: nn.Module) -> bool:
    """Whether an encoder is one linear map."""
    layers = getattr(encoder, "layers", [encoder])
    return len(layers) == 1 and isinstance(layers[0], nn.Linear)


def _linear(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> Attribution:
    def attribute(who: Tensor, steps: int) -> Attribution:
        multipliers, difference = _through_head(encoder, loss, inputs[who], baselines[who], images[who], steps, rows)
        at = inputs[who].requires_grad_()
        (slopes,) = torch.autograd.grad((encoder(at) * multipliers).sum(), at)
        values = slopes * (inputs[who] - baselines[who])
        return Attribution(values, difference, values.sum(dim=1) - difference, steps)

    return refined(attribute, len(inputs), steps)


def _through_head(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> tuple[Tensor, Tensor]:
    """The mean gradient (samples, width) of the loss along straight lines between embeddings, and its difference."""
    with torch.no_grad():
        here, there = encoder(inputs), encoder(baselines)
        difference = loss(here, images) - loss(there, images)
    multipliers = IntegratedGradients(loss, multiply_by_inputs=False).attribute(
        here,
        there,
        additional_forward_args=(images,),
        n_steps=steps,
        internal_batch_size=max(rows, len(inputs)),
    )
    return multipliers.detach().float(), difference


def _smoothed(tunnel: NoiseTunnel, inputs: Tensor, noise: Noise, keywords: dict) -> tuple[Tensor, Tensor]:
    """The mean over noisy inputs of attributions and of errors; a sample at a time, so that memory does not grow."""
    total, errors = torch.zeros_like(inputs), inputs.new_zeros(len(inputs))
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(noise.seed)
        for _ in range(noise.samples):
            values, error = tunnel.attribute(inputs, nt_samples=1, stdevs=noise.sd, **keywords)
            total, errors = total + values.detach(), errors + error.detach().to(errors.dtype)
    return total / noise.samples, errors / noise.samples


class Weighted(nn.Module):
    """The sum of an encoder's outputs, each times a weight of its own (samples, width): a scalar a sample."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """(samples, features) -> (samples,)."""
        return (self.encoder(values) * weights).sum(dim=1)


def deeplift(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> Attribution:
    """DeepLIFT's rescale rule through the encoder, and multipliers of the loss's head by integrated gradients.

    The head (cosines, log-sum-exp) is not elementwise, so captum has no rule for it. m is the mean gradient of the loss
    along the straight line between the two embeddings: the sum of m x (their difference) is the difference of the
    losses. DeepLIFT of sum(m x embedding) then supplies it to the inputs without loss. Shrikumar et al., ICML 2017.
    """
    weighted = Weighted(encoder)

    def attribute(who: Tensor, steps: int) -> Attribution:
        multipliers, difference = _through_head(encoder, loss, inputs[who], baselines[who], images[who], steps, rows)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="captum")
            values = DeepLift(weighted).attribute(inputs[who], baselines[who], additional_forward_args=(multipliers,))
        values = values.detach()
        return Attribution(values, difference, values.sum(dim=1) - difference, steps)

    return refined(attribute, len(inputs), steps)
