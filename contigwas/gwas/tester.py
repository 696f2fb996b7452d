"""Tests of a block: the kernels of all setups, p-values, and the tests over features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.counts import Counts, count
from contigwas.gwas.design import Design
from contigwas.gwas.engine import Associations, Kernel
from contigwas.gwas.omnibus import acat, minp
from contigwas.gwas.output import OMNIBUS
from contigwas.gwas.pvalues import log10p_f, log10p_t


@dataclass(frozen=True)
class Results:
    """Results of a block of B variants; NaN where a variant or a feature cannot be tested.

    Attributes:
        flag: positions in `engine.FLAGS`, int8 (B,): the flag of the first setup if every setup has a flag, else 0.
        beta, se, log10p: float64 (B, P), features in the order of the phenotypes.
        partial_n: samples with a call of each feature with missing samples, int64 (B, partial features).
        omnibus: -log10 p of each test over features, float64 (B, tests).
    """

    flag: torch.Tensor
    beta: torch.Tensor
    se: torch.Tensor
    log10p: torch.Tensor
    partial_n: torch.Tensor
    omnibus: torch.Tensor


class Tester:
    """Runs the kernels of all setups of a design on blocks and joins their results."""

    def __init__(
        self,
        plan: Design,
        names: Sequence[str],
        samples: int,
        *,
        tests: Sequence[str] = OMNIBUS,
        missing: str = "exact",
        min_ac: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Make a kernel for every setup of `plan`.

        `names` are all features of the phenotypes, `samples` is the number of tested samples.
        """
        self.names, self.tests = list(names), [test for test in OMNIBUS if test in tests]
        self.device = torch.device(device)
        options = {"missing": missing, "min_ac": min_ac, "device": self.device, "dtype": dtype}
        joint = "manova" in self.tests
        self.kernels = [Kernel(one, joint=joint and one is plan.joint, **options) for one in plan.setups]
        self.joint = next((kernel for kernel in self.kernels if kernel.joint), None)
        if joint and self.joint is None and plan.joint is not None:
            self.joint = Kernel(plan.joint, joint=True, **options)
        complete = [len(one.samples) == samples for one in plan.setups]
        full = {
            column
            for one, is_complete in zip(plan.setups, complete, strict=True)
            if is_complete
            for column in one.features
        }
        self.partial = [column for column in range(len(self.names)) if column not in full]
        self._single = len(plan.setups) == 1 and complete[0] and len(plan.setups[0].features) == len(self.names)
        kernels = {id(kernel): kernel for kernel in [*self.kernels, self.joint] if kernel is not None}
        self._samples = {
            key: None if len(one.setup.samples) == samples else torch.from_numpy(one.setup.samples).to(self.device)
            for key, one in kernels.items()
        }

    def __call__(
        self,
        block: torch.Tensor,
        counted: tuple[Counts, torch.Tensor, torch.Tensor],
        males: torch.Tensor | None = None,
        x_linked: torch.Tensor | None = None,
    ) -> Results:
        """Test a block (B, samples); `counted` is the result of `count` for it, `males` and `x_linked`."""
        associations = [self._run(kernel, block, counted, males, x_linked) for kernel in self.kernels]
        if self._single:
            (one,) = associations
            beta, se, log10p = one.beta, one.se, log10p_t(one.r2, one.df.double()[:, None])
            n = one.n[:, None][:, :0]
        else:
            beta, se, log10p, n = self._join(associations, len(block))
        flags = torch.stack([one.flag for one in associations])
        joint = next(
            (one for one, kernel in zip(associations, self.kernels, strict=True) if kernel is self.joint), None
        )
        if joint is None and self.joint is not None:
            joint = self._run(self.joint, block, counted, males, x_linked)
        tests = {
            "minp": lambda: minp(log10p),
            "acat": lambda: acat(log10p),
            "manova": lambda: self._manova(joint, log10p),
        }
        omnibus = [tests[test]() for test in self.tests]
        omnibus = torch.stack(omnibus, 1) if omnibus else log10p[:, :0]
        return Results(torch.where((flags != 0).all(0), flags[0], 0), beta, se, log10p, n, omnibus)

    def _join(self, associations: Sequence[Associations], size: int) -> tuple[torch.Tensor, ...]:
        """Return beta, se and log10p (B, P) of all setups, and n (B, partial features)."""
        shape = (size, len(self.names))
        beta, se, log10p = (torch.full(shape, torch.nan, dtype=torch.float64, device=self.device) for _ in range(3))
        n = torch.zeros(shape, dtype=torch.int64, device=self.device)
        for kernel, one in zip(self.kernels, associations, strict=True):
            columns = torch.from_numpy(kernel.setup.features).to(self.device)
            beta[:, columns], se[:, columns] = one.beta, one.se
            log10p[:, columns] = log10p_t(one.r2, one.df.double()[:, None])
            n[:, columns] = one.n[:, None].expand(-1, len(columns))
        return beta, se, log10p, n[:, self.partial]

    def _run(
        self,
        kernel: Kernel,
        block: torch.Tensor,
        counted: tuple[Counts, torch.Tensor, torch.Tensor],
        males: torch.Tensor | None,
        x_linked: torch.Tensor | None,
    ) -> Associations:
        """Run one kernel on its samples of a block."""
        samples = self._samples[id(kernel)]
        if samples is None:
            return kernel(block, counted)
        subset = block[:, samples]
        return kernel(subset, count(subset, None if males is None else males[samples], x_linked))

    def _manova(self, joint: Associations | None, log10p: torch.Tensor) -> torch.Tensor:
        """Return -log10 p of MANOVA, float64 (B,); NaN without a joint setup."""
        if joint is None:
            return torch.full_like(log10p[:, 0], torch.nan)
        span = len(self.joint.setup.spanning)
        manova = log10p_f(joint.joint_r2.cpu().numpy(), span, joint.df.cpu().numpy() + 1 - span)
        return torch.from_numpy(np.asarray(manova)).to(log10p)
