"""The regression of all features on a block of variants: one product of matrices, then sums of squares in float64."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.counts import Counts, count
from contigwas.gwas.design import Setup

FLAGS = np.array(["", "MONOMORPHIC", "TOO_FEW", "COLLINEAR"])
MONOMORPHIC, TOO_FEW, COLLINEAR = 1, 2, 3
LEAST_SHARE = 0.02  # of a variant's sum of squares left by the covariates: a variance inflation factor of 50
LEAST_PIVOT = 1e-6  # of the downdated Cholesky factor, squared
DOUBTFUL_SHARE, DOUBTFUL_R2 = 0.1, 0.99  # here float32 products lose too many digits and are made again in float64
DOUBTFUL_PIVOT = 0.1  # of a downdate, squared: likewise
NO_VARIANCE = 1e-10  # share of a feature's sum of squares left among the samples called: below it, it is constant
ILL_CONDITIONED = 1e4  # of the features' correlation matrix: from here float32 does not carry the joint test
LEAST_HEIGHT = 64  # variants in a product: small ones take other paths through the BLAS
BATCH = 2**20  # numbers in the largest temporary array of a downdate: what a core's cache holds


@dataclass(frozen=True)
class Associations:
    """What one block of B variants says about P features; NaN where a variant or a feature cannot be tested.

    Attributes:
        n: samples called, int64 (B,).
        flag: 0, or the position in `FLAGS` of why the variant is not tested, int8 (B,).
        df: residual degrees of freedom, int64 (B,).
        beta, se: effect of one allele and its standard error in the feature's own units, float64 (B, P).
        r2: squared partial correlation, float64 (B, P).
        joint_r2: share of a variant's variance explained by all features together, 1 - Wilks' lambda, float64 (B,).
    """

    n: torch.Tensor
    flag: torch.Tensor
    df: torch.Tensor
    beta: torch.Tensor
    se: torch.Tensor
    r2: torch.Tensor
    joint_r2: torch.Tensor


@dataclass(frozen=True)
class _Block:
    """A block of variants: dosages (B, n), their counts, means, sums of squares, and the missing calls in order."""

    raw: torch.Tensor
    counts: Counts
    mean: torch.Tensor
    gg: torch.Tensor
    lost: torch.Tensor
    variant: torch.Tensor
    sample: torch.Tensor


@dataclass(frozen=True)
class _Moments:
    """Of V variants: residual sums of squares and products sgg (V,), sgy (V, P), syy (V, P) or (P,), joint r2 (V,).

    `failed`: the covariates are dependent among the samples called; `doubtful`: float32 was not enough. Both (V,).
    """

    sgg: torch.Tensor
    sgy: torch.Tensor
    syy: torch.Tensor
    joint_r2: torch.Tensor
    failed: torch.Tensor
    doubtful: torch.Tensor


class Kernel:
    """Exact complete-case linear regression of every feature of a setup on every variant of a block.

    Missing genotypes are taken out of the covariates' basis and of the features by a downdate, so each variant is
    fitted on the samples called; `missing="mean"` puts the variant's mean instead. `joint` asks for `joint_r2`. The
    products are made in `dtype`, everything after them in float64, all on `device`.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        missing: str = "exact",
        min_ac: int = 0,
        joint: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Take up a setup."""
        self.setup, self.exact, self.min_ac, self.joint = setup, missing == "exact", min_ac, joint
        self.n, self.c = len(setup.columns), setup.rank
        self.device = torch.device(device)
        columns = torch.from_numpy(setup.columns).to(self.device)
        residuals = columns[:, self.c :]
        self.syy = (residuals**2).sum(0)
        self.scale = torch.from_numpy(setup.scale).to(self.device)
        self.spanning = torch.from_numpy(setup.spanning).to(self.device)
        self.columns = {torch.float64: columns}
        self.white: dict[torch.dtype, torch.Tensor] = {}
        if joint:
            scatter = residuals[:, self.spanning].T @ residuals[:, self.spanning]
            factor = torch.linalg.cholesky(scatter)
            self.whitening = torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False).T
            if torch.linalg.cond(scatter) > ILL_CONDITIONED:
                dtype = torch.float64
        self.dtype = dtype
        self.columns[dtype] = columns.to(dtype)
        self.padded: dict[torch.dtype, torch.Tensor] = {}
        self._own = threading.local()  # blocks are tested by several threads
        self._lock = threading.Lock()

    def __call__(
        self, raw: torch.Tensor, counted: tuple[Counts, torch.Tensor, torch.Tensor] | None = None
    ) -> Associations:
        """Test a block: dosages (B, n) as `count` takes them, on the device, samples as in the setup.

        `counted` is what `count` gave for this very block, if the caller has it.
        """
        counts, variant, sample = counted or count(raw)
        block = self._describe(raw, counts, variant, sample)
        n, size, features = counts.called, len(raw), self.setup.columns.shape[1] - self.c
        df = n - self.c - 1 if self.exact else torch.full_like(n, self.n - self.c - 1)
        flag = torch.zeros(size, dtype=torch.int8, device=self.device)
        minor = torch.minimum(counts.alleles, counts.chromosomes - counts.alleles)
        flag[(df < 1) | (minor.round() < self.min_ac)] = TOO_FEW
        flag[block.gg <= 0] = MONOMORPHIC
        products = self._multiply(block)
        options = {"dtype": torch.float64, "device": self.device}
        beta, se, r2 = (torch.full((size, features), torch.nan, **options) for _ in range(3))
        joint_r2 = torch.full((size,), torch.nan, **options)
        for rows in self._batches(flag, block.lost):
            found = self._moments(block, rows, products)
            collinear = found.failed | (found.sgg < LEAST_SHARE * block.gg[rows])
            flag[rows[collinear]] = COLLINEAR
            squared = (found.sgy**2).div_(found.sgg[:, None]).div_(found.syy).clamp_(0, 1)
            squared.masked_fill_((found.syy <= NO_VARIANCE * self.syy) | collinear[:, None], torch.nan)
            r2[rows] = squared
            beta[rows] = (found.sgy / found.sgg[:, None]).mul_(self.scale).masked_fill_(squared.isnan(), torch.nan)
            left = squared.neg_().add_(1).mul_(found.syy).div_((df[rows] * found.sgg)[:, None])
            se[rows] = left.sqrt_().mul_(self.scale)
            if self.joint:
                # Fewer samples than the features need, counted as in the F test, have no joint test.
                few = df[rows] + 1 - len(self.spanning) < 1
                joint_r2[rows] = found.joint_r2.masked_fill(collinear | few, torch.nan)
        return Associations(n, flag, df, beta, se, r2, joint_r2)

    def _describe(self, raw: torch.Tensor, counts: Counts, variant: torch.Tensor, sample: torch.Tensor) -> _Block:
        mean = counts.total / counts.called.clamp(min=1)
        if raw.is_floating_point():
            # dosages are no whole numbers, whose sums of squares could be taken before the mean is
            pairs = zip(raw, mean, strict=True)
            parts = [(row.double() - middle).nan_to_num_(0.0).square_().sum() for row, middle in pairs]
            gg = torch.stack(parts) if parts else mean
            gg = torch.where(gg <= 1e-9 * counts.squares, 0.0, gg)
        else:
            gg = counts.squares - counts.total * mean
        return _Block(raw, counts, mean, gg, self.n - counts.called, variant, sample)

    def _multiply(self, block: _Block) -> torch.Tensor:
        """Products of the variants, centred and with missing calls at their mean, with the columns: float64 (B, c + P).

        Hard calls are centred by the nearest whole number only, which the columns, that sum to 0, do not notice.
        """
        size = len(block.raw)
        buffer = getattr(self._own, "buffer", None)
        if buffer is None or len(buffer) < max(size, LEAST_HEIGHT):
            buffer = torch.zeros(max(size, LEAST_HEIGHT), self.n, dtype=self.dtype, device=self.device)
            self._own.buffer = buffer
        values = buffer[:size]
        values.copy_(block.raw)
        shift = block.mean if block.raw.is_floating_point() else block.mean.round()
        if shift.any():
            values.sub_(shift.to(self.dtype)[:, None])
        if len(block.variant):
            values[block.variant, block.sample] = (block.mean - shift).to(self.dtype)[block.variant]
        height = max(size, LEAST_HEIGHT)
        products = (buffer[:height] @ self.columns[self.dtype])[:size].double()
        products[:, 0] = 0  # the intercept: a centred variant sums to 0
        return products

    def _batches(self, flag: torch.Tensor, lost: torch.Tensor) -> Iterator[torch.Tensor]:
        """Rows still to be tested: those without a missing call at once, the others by similar numbers of them."""
        rows = torch.nonzero(flag == 0)[:, 0]
        plain = (lost[rows] == 0) | (not self.exact)
        if plain.any():
            yield rows[plain]
        rows = rows[~plain]
        rows = rows[torch.argsort(lost[rows], stable=True)]
        sizes = lost[rows].tolist()
        width = self.setup.columns.shape[1]
        start = 0
        for stop in range(1, len(rows) + 1):
            full = stop == len(rows)
            if not full:
                small = min(sizes[stop], width) if self.joint else 0
                each = sizes[stop] * width + self.c * width + small * small
                full = (stop + 1 - start) * each > BATCH or sizes[stop] > 1.25 * sizes[start] + 8
            if full:
                yield rows[start:stop]
                start = stop

    def _moments(self, block: _Block, rows: torch.Tensor, products: torch.Tensor) -> _Moments:
        """Moments of `rows`, which all lack calls or all do not; in float64 throughout where float32 is not enough."""
        exact = self.exact and bool(block.lost[rows[0]])
        absent = self._absent(block, rows) if exact else None
        found = self._residual(products[rows], block.gg[rows], absent, self.dtype)
        if self.dtype == torch.float64:
            return found
        doubtful = torch.nonzero(found.doubtful)[:, 0]
        for some in doubtful.split(max(1, BATCH // self.n)) if len(doubtful) else ():
            chosen = rows[some]
            values = (block.raw[chosen].double() - block.mean[chosen, None]).nan_to_num_(0.0)
            if not block.raw.is_floating_point():
                values.masked_fill_(block.raw[chosen] < 0, 0.0)
            again = values @ self.columns[torch.float64]
            again[:, 0] = 0
            taken = None if absent is None else absent[some]
            better = self._residual(again, block.gg[chosen], taken, torch.float64)
            for name in ("sgg", "sgy", "joint_r2", "failed"):
                getattr(found, name)[some] = getattr(better, name)
            if absent is not None:
                found.syy[some] = better.syy
        return found

    def _absent(self, block: _Block, rows: torch.Tensor) -> torch.Tensor:
        """Samples without a call, of each of `rows`: (V, the most of one), padded with n."""
        lost = block.lost[rows]
        starts = (block.lost.cumsum(0) - block.lost)[rows]
        slots = torch.arange(int(lost.max()), device=self.device)
        places = (starts[:, None] + slots).clamp_(max=len(block.sample) - 1)
        return torch.where(slots < lost[:, None], block.sample[places], self.n)

    def _residual(
        self, products: torch.Tensor, gg: torch.Tensor, absent: torch.Tensor | None, dtype: torch.dtype
    ) -> _Moments:
        """Take the covariates, and the samples `absent`, out of the products (V, c + P), with arrays of `dtype`."""
        b, gy = products[:, : self.c], products[:, self.c :]
        no = torch.zeros(len(gg), dtype=torch.bool, device=self.device)
        joint_r2 = torch.full_like(gg, torch.nan)
        if absent is None:
            sgg, sgy, syy, failed, doubtful = gg - (b**2).sum(1), gy, self.syy, no, no
            if self.joint:
                joint_r2 = ((gy[:, self.spanning] @ self.whitening) ** 2).sum(1) / sgg
        else:
            taken = self._rows_of(absent, dtype)
            q, y = taken[..., : self.c], taken[..., self.c :]
            one = torch.eye(self.c, dtype=torch.float64, device=self.device)
            inverse, pivot = _inverse_factor(one - (q.mT @ q).double())
            failed, doubtful = pivot < LEAST_PIVOT, pivot < DOUBTFUL_PIVOT
            u = (inverse @ b[..., None])[..., 0]
            v = inverse.to(dtype) @ -(q.mT @ y)
            sgg = gg - (u**2).sum(1)
            sgy = gy - (u.to(dtype)[:, None] @ v)[:, 0]
            syy = self.syy - y.square().sum(1) - v.square().sum(1)
            if self.joint:
                white = gy[:, self.spanning] @ self.whitening
                full, loose = self._explained(torch.hstack([b, white]), q, absent, dtype)
                joint_r2 = (full - (u**2).sum(1)) / sgg
                doubtful = doubtful | loose
        doubtful = doubtful | (sgg < DOUBTFUL_SHARE * gg)
        best = (sgy**2 / syy).nan_to_num_(torch.inf).amax(1) / sgg
        return _Moments(sgg, sgy, syy, joint_r2.clamp_(0, 1), failed, doubtful | ~(best <= DOUBTFUL_R2))

    def _rows_of(self, samples: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Rows of the columns, (V, m, c + P); sample n has zeros."""
        with self._lock:
            if dtype not in self.padded:
                self.padded[dtype] = torch.nn.functional.pad(self.columns[dtype], (0, 0, 0, 1))
        columns = self.padded[dtype]
        return columns.index_select(0, samples.flatten()).view(*samples.shape, columns.shape[1])

    def _white_rows_of(self, samples: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The same of the whitened features: orthonormal columns that span them, (V, m, features)."""
        with self._lock:
            if dtype not in self.white:
                residuals = self.columns[torch.float64][:, self.c :]
                white = residuals[:, self.spanning] @ self.whitening
                self.white[dtype] = torch.nn.functional.pad(white.to(dtype), (0, 0, 0, 1))
        columns = self.white[dtype]
        return columns.index_select(0, samples.flatten()).view(*samples.shape, columns.shape[1])

    def _explained(
        self, z: torch.Tensor, q: torch.Tensor, absent: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of squares of a variant explained by covariates and features among the samples called, (V,).

        With Z the orthonormal columns of both, Z_k their rows of the samples absent and z = Z'g: z'(I - Z_k'Z_k)^-1 z,
        which is |z|^2 + (Z_k z)'(I - Z_k Z_k')^-1 (Z_k z); the smaller of the two systems is solved. NaN where the
        system is singular. Also returns where it is so near that as to need float64.
        """
        rows = torch.cat([q, self._white_rows_of(absent, dtype)], -1)
        if rows.shape[1] <= rows.shape[2]:
            rest, start, values = rows @ rows.mT, (z**2).sum(1), (rows @ z.to(dtype)[..., None]).double()
        else:
            rest, start, values = rows.mT @ rows, torch.zeros_like(z[:, 0]), z[..., None]
        one = torch.eye(rest.shape[-1], dtype=torch.float64, device=self.device)
        factor, info = torch.linalg.cholesky_ex(one - rest.double())
        pivot = torch.diagonal(factor, dim1=-2, dim2=-1).amin(-1).nan_to_num(0.0) ** 2
        singular = (info != 0) | (pivot <= NO_VARIANCE)
        factor[singular] = one
        solved = torch.linalg.solve_triangular(factor, values, upper=False)[..., 0]
        return (start + (solved**2).sum(1)).masked_fill_(singular, torch.nan), singular | (pivot < DOUBTFUL_PIVOT)


def _inverse_factor(matrices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse of the lower Cholesky factor, (V, c, c), and the factor's least pivot squared, (V,); 0 where it fails."""
    factor, info = torch.linalg.cholesky_ex(matrices)
    pivot = torch.diagonal(factor, dim1=-2, dim2=-1).amin(-1).nan_to_num(0.0) ** 2
    failed = (info != 0) | (pivot < LEAST_PIVOT)
    one = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    factor[failed] = one
    return torch.linalg.solve_triangular(factor, one.expand_as(factor), upper=False), pivot.masked_fill(info != 0, 0.0)
