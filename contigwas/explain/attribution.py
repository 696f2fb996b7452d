"""Attributions of a loss to the inputs of an encoder by captum, with their completeness errors."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from captum.attr import DeepLift, IntegratedGradients, NoiseTunnel
from torch import Tensor, nn

MAX_ERROR = 0.01  # relative_error completeness error; samples with a larger one are repeated with more steps
MAX_STEPS_RATIO = 64  # maximum ratio of steps to those of the settings
MAX_GAUSS_STEPS = 256  # more steps are needed only for losses with kinks, where Gauss-Legendre has no advantage
MIN_DIFFERENCE = 0.1  # of the mean difference: bounds the relative_error error of samples with nearly equal losses

Loss = Callable[[Tensor, Tensor], Tensor]  # embeddings of genetics and of images (samples, width) -> (samples,)


@dataclass(frozen=True)
class Attribution:
    """Attributions of some samples, in nats.

    Attributes:
        values: (samples, features), or (samples, channels, sizes …) of images.
        difference: (samples,), the loss at the input minus the loss at the baseline.
        error: (samples,), the sum of the values minus the difference.
        steps: the maximum number of integration steps.
    """

    values: Tensor
    difference: Tensor
    error: Tensor
    steps: int


@dataclass(frozen=True)
class Noise:
    """Normal noise: integrated gradients are averaged over `copies` noisy inputs; sd in SD of the feature."""

    copies: int
    sd: float
    seed: int


def relative_error(error: Tensor, difference: Tensor) -> Tensor:
    """Return |error| / |difference| (samples,); differences below a tenth of the mean one count as that tenth."""
    magnitude = difference.abs()
    return error.abs() / magnitude.clamp(min=float(MIN_DIFFERENCE * magnitude.mean())).clamp(min=1e-12)


def refine(attribute: Callable[[Tensor, int], Attribution], samples: int, steps: int) -> Attribution:
    """Return `attribute(indices, steps)` of all samples, repeated with twice the steps for incomplete ones."""
    result = attribute(torch.arange(samples), steps)
    values, difference, error, taken = result.values, result.difference, result.error, steps
    while taken < MAX_STEPS_RATIO * steps:
        incomplete = torch.nonzero(relative_error(error, difference) > MAX_ERROR).flatten()
        if not len(incomplete):
            break
        taken *= 2
        better = attribute(incomplete, taken)
        values[incomplete], difference[incomplete], error[incomplete] = better.values, better.difference, better.error
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
    """Return integrated gradients along straight lines from `baselines` to `inputs`, `rows` points in memory at a time.

    With noise, values and differences are averages over noisy inputs. An encoder that is one matrix maps straight lines
    to straight lines. Its integral is therefore taken over embeddings and propagated to the inputs once by the chain
    rule, which gives the same numbers without evaluating the encoder at every point. Sundararajan et al., ICML 2017;
    Smilkov et al., 2017 (SmoothGrad).
    """
    if noise is None and is_linear(encoder):
        return _linear(encoder, loss, inputs, baselines, images, steps, rows)

    def forward(values: Tensor, images: Tensor) -> Tensor:
        return loss(encoder(values), images)

    def attribute(indices: Tensor, steps: int) -> Attribution:
        keywords = {
            "baselines": baselines[indices],
            "additional_forward_args": (images[indices],),
            "n_steps": steps,
            "method": "gausslegendre" if steps <= MAX_GAUSS_STEPS else "riemann_middle",
            "internal_batch_size": max(rows, len(indices)),
            "return_convergence_delta": True,
        }
        method = IntegratedGradients(forward)
        if noise is None:
            values, error = method.attribute(inputs[indices], **keywords)
        else:
            values, error = _smoothed(NoiseTunnel(method), inputs[indices], noise, keywords)
        values, error = values.detach().float(), error.detach().float()
        return Attribution(values, values.flatten(1).sum(dim=1) - error, error, steps)

    return refine(attribute, len(inputs), steps)


def is_linear(encoder: nn.Module) -> bool:
    """Return whether an encoder is a single nn.Linear layer."""
    layers = getattr(encoder, "layers", [encoder])
    return len(layers) == 1 and isinstance(layers[0], nn.Linear)


def _linear(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> Attribution:
    """Return integrated gradients of a linear encoder, by the chain rule from its embeddings."""

    def attribute(indices: Tensor, steps: int) -> Attribution:
        multipliers, difference = _through_head(
            encoder, loss, inputs[indices], baselines[indices], images[indices], steps, rows
        )
        at = inputs[indices].requires_grad_()
        (slopes,) = torch.autograd.grad((encoder(at) * multipliers).sum(), at)
        values = slopes * (inputs[indices] - baselines[indices])
        return Attribution(values, difference, values.sum(dim=1) - difference, steps)

    return refine(attribute, len(inputs), steps)


def _through_head(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> tuple[Tensor, Tensor]:
    """Return the mean gradient (samples, width) of the loss along lines between embeddings, and its difference."""
    with torch.no_grad():
        embedded, baseline = encoder(inputs), encoder(baselines)
        difference = loss(embedded, images) - loss(baseline, images)
    multipliers = IntegratedGradients(loss, multiply_by_inputs=False).attribute(
        embedded,
        baseline,
        additional_forward_args=(images,),
        n_steps=steps,
        internal_batch_size=max(rows, len(inputs)),
    )
    return multipliers.detach().float(), difference


def _smoothed(tunnel: NoiseTunnel, inputs: Tensor, noise: Noise, keywords: dict) -> tuple[Tensor, Tensor]:
    """Return the mean attributions and errors over noisy inputs, one copy at a time to limit memory."""
    total, errors = torch.zeros_like(inputs), inputs.new_zeros(len(inputs))
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(noise.seed)
        for _ in range(noise.copies):
            values, error = tunnel.attribute(inputs, nt_samples=1, stdevs=noise.sd, **keywords)
            total, errors = total + values.detach(), errors + error.detach().to(errors.dtype)
    return total / noise.copies, errors / noise.copies


class Weighted(nn.Module):
    """Weighted sum of an encoder's outputs, with weights (samples, width): a scalar per sample."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """Map values (samples, features) to (samples,)."""
        return (self.encoder(values) * weights).sum(dim=1)


def deeplift(
    encoder: nn.Module, loss: Loss, inputs: Tensor, baselines: Tensor, images: Tensor, steps: int, rows: int
) -> Attribution:
    """Return DeepLIFT's rescale rule through the encoder, with multipliers of the loss's head by integrated gradients.

    The head (cosines, log-sum-exp) is not elementwise, so captum has no rule for it. m is the mean gradient of the loss
    along the straight line between both embeddings. The sum of m x (their difference) is the difference of the losses.
    DeepLIFT of sum(m x embedding) propagates it to the inputs completely. Shrikumar et al., ICML 2017.
    """
    weighted = Weighted(encoder)

    def attribute(indices: Tensor, steps: int) -> Attribution:
        multipliers, difference = _through_head(
            encoder, loss, inputs[indices], baselines[indices], images[indices], steps, rows
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="captum")
            values = DeepLift(weighted).attribute(
                inputs[indices], baselines[indices], additional_forward_args=(multipliers,)
            )
        values = values.detach()
        return Attribution(values, difference, values.sum(dim=1) - difference, steps)

    return refine(attribute, len(inputs), steps)
