"""Regression of all features on a block of variants: one matrix product, then sums of squares in float64."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.counts import Counts, count
from contigwas.gwas.design import Setup

FLAGS = np.array(["", "MONOMORPHIC", "TOO_FEW", "COLLINEAR"])
MONOMORPHIC, TOO_FEW, COLLINEAR = 1, 2, 3
MIN_RESIDUAL_SHARE = 0.02  # of a variant's sum of squares after the covariates: a variance inflation factor of 50
MIN_PIVOT = 1e-6  # squared pivot of the downdated Cholesky factor
# Beyond these limits float32 products lose too many digits and are recomputed in float64.
DOUBTFUL_SHARE, DOUBTFUL_R2 = 0.1, 0.99
DOUBTFUL_PIVOT = 0.1  # squared pivot of a downdate
NO_VARIANCE = 1e-10  # a feature with a smaller share of its sum of squares among the called samples is constant
ILL_CONDITIONED = 1e4  # condition number of the features' scatter matrix above which the joint test needs float64
MIN_BLOCK_VARIANTS = 64  # rows of the matrix product; BLAS uses other code paths for smaller ones
BATCH = 2**20  # elements of the largest temporary array of a downdate: fits into the cache of a core


@dataclass(frozen=True)
class Associations:
    """Associations of B variants with P features; NaN where a variant or a feature cannot be tested.

    Attributes:
        n: samples with a call, int64 (B,).
        flag: 0, or the position in `FLAGS` of the reason why the variant is not tested, int8 (B,).
        df: residual degrees of freedom, int64 (B,).
        beta, se: effect of one allele and its standard error, in units of the feature, float64 (B, P).
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
    """A block of B variants.

    Attributes:
        raw: dosages (B, n).
        counts: its genotype counts.
        mean: mean dosage of the samples with a call, float64 (B,).
        gg: centred sum of squares, float64 (B,).
        n_missing: number of missing calls, int64 (B,).
        variant, sample: row and sample numbers of the missing calls, int64 (missing calls,), sorted by row.
    """

    raw: torch.Tensor
    counts: Counts
    mean: torch.Tensor
    gg: torch.Tensor
    n_missing: torch.Tensor
    variant: torch.Tensor
    sample: torch.Tensor


@dataclass(frozen=True)
class _Moments:
    """Residual sums of squares and products of V variants, without the covariates.

    Attributes:
        sgg: sum of squares of the variant, (V,).
        sgy: products of variant and feature, (V, P).
        syy: sums of squares of the features, (V, P) or (P,).
        joint_r2: as in `Associations`, (V,).
        failed: whether the covariates are linearly dependent among the called samples, bool (V,).
        doubtful: whether float32 is too imprecise, bool (V,).
    """

    sgg: torch.Tensor
    sgy: torch.Tensor
    syy: torch.Tensor
    joint_r2: torch.Tensor
    failed: torch.Tensor
    doubtful: torch.Tensor


class Kernel:
    """Exact complete-case linear regression of every feature of a setup on every variant of a block.

    A downdate removes samples with a missing genotype from the basis of the covariates and from the features, so that
    each variant is fitted on the samples with a call. `missing="mean"` imputes the mean of the variant instead. With
    `joint`, `joint_r2` is computed. The matrix products use `dtype`, everything after them float64, all on `device`.
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
        """Move a setup to the device and prepare the joint test."""
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
        self._local = threading.local()  # several threads test blocks at the same time
        self._lock = threading.Lock()

    def __call__(
        self, raw: torch.Tensor, counted: tuple[Counts, torch.Tensor, torch.Tensor] | None = None
    ) -> Associations:
        """Test a block of dosages (B, n) on the device, as `count` takes it, with the samples of the setup.

        `counted` is the result of `count` for this block, if the caller has it already.
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
        for rows in self._batches(flag, block.n_missing):
            moments = self._moments(block, rows, products)
            collinear = moments.failed | (moments.sgg < MIN_RESIDUAL_SHARE * block.gg[rows])
            flag[rows[collinear]] = COLLINEAR
            squared = (moments.sgy**2).div_(moments.sgg[:, None]).div_(moments.syy).clamp_(0, 1)
            squared.masked_fill_((moments.syy <= NO_VARIANCE * self.syy) | collinear[:, None], torch.nan)
            r2[rows] = squared
            beta[rows] = (moments.sgy / moments.sgg[:, None]).mul_(self.scale).masked_fill_(squared.isnan(), torch.nan)
            left = squared.neg_().add_(1).mul_(moments.syy).div_((df[rows] * moments.sgg)[:, None])
            se[rows] = left.sqrt_().mul_(self.scale)
            if self.joint:
                # With too few samples the denominator degrees of freedom of the F test would be below 1.
                few = df[rows] + 1 - len(self.spanning) < 1
                joint_r2[rows] = moments.joint_r2.masked_fill(collinear | few, torch.nan)
        return Associations(n, flag, df, beta, se, r2, joint_r2)

    def _describe(self, raw: torch.Tensor, counts: Counts, variant: torch.Tensor, sample: torch.Tensor) -> _Block:
        """Return the block with its means and centred sums of squares."""
        mean = counts.total / counts.called.clamp(min=1)
        if raw.is_floating_point():
            # Sums of squares of fractional dosages lose precision unless they are centred first.
            pairs = zip(raw, mean, strict=True)
            parts = [(row.double() - middle).nan_to_num_(0.0).square_().sum() for row, middle in pairs]
            gg = torch.stack(parts) if parts else mean
            gg = torch.where(gg <= 1e-9 * counts.squares, 0.0, gg)
        else:
            gg = counts.squares - counts.total * mean
        return _Block(raw, counts, mean, gg, self.n - counts.called, variant, sample)

    def _multiply(self, block: _Block) -> torch.Tensor:
        """Return the products of the centred, mean-imputed variants with the columns: float64 (B, c + P).

        Hard calls are centred at the nearest integer only. This does not change the products, because all columns but
        the intercept sum to 0.
        """
        size = len(block.raw)
        buffer = getattr(self._local, "buffer", None)
        if buffer is None or len(buffer) < max(size, MIN_BLOCK_VARIANTS):
            buffer = torch.zeros(max(size, MIN_BLOCK_VARIANTS), self.n, dtype=self.dtype, device=self.device)
            self._local.buffer = buffer
        values = buffer[:size]
        values.copy_(block.raw)
        shift = block.mean if block.raw.is_floating_point() else block.mean.round()
        if shift.any():
            values.sub_(shift.to(self.dtype)[:, None])
        if len(block.variant):
            values[block.variant, block.sample] = (block.mean - shift).to(self.dtype)[block.variant]
        height = max(size, MIN_BLOCK_VARIANTS)
        products = (buffer[:height] @ self.columns[self.dtype])[:size].double()
        products[:, 0] = 0  # the intercept: a centred variant sums to 0
        return products

    def _batches(self, flag: torch.Tensor, n_missing: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the rows to test: all without missing calls, then batches with similar numbers of missing calls."""
        rows = torch.nonzero(flag == 0)[:, 0]
        plain = (n_missing[rows] == 0) | (not self.exact)
        if plain.any():
            yield rows[plain]
        rows = rows[~plain]
        rows = rows[torch.argsort(n_missing[rows], stable=True)]
        sizes = n_missing[rows].tolist()
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
        """Return the moments of `rows`, which either all have missing calls or all have none.

        Rows for which float32 is too imprecise are recomputed in float64.
        """
        exact = self.exact and bool(block.n_missing[rows[0]])
        missing_samples = self._missing_samples(block, rows) if exact else None
        moments = self._residual(products[rows], block.gg[rows], missing_samples, self.dtype)
        if self.dtype == torch.float64:
            return moments
        doubtful = torch.nonzero(moments.doubtful)[:, 0]
        for part in doubtful.split(max(1, BATCH // self.n)) if len(doubtful) else ():
            chosen = rows[part]
            values = (block.raw[chosen].double() - block.mean[chosen, None]).nan_to_num_(0.0)
            if not block.raw.is_floating_point():
                values.masked_fill_(block.raw[chosen] < 0, 0.0)
            recomputed = values @ self.columns[torch.float64]
            recomputed[:, 0] = 0
            refined_missing = None if missing_samples is None else missing_samples[part]
            refined = self._residual(recomputed, block.gg[chosen], refined_missing, torch.float64)
            for name in ("sgg", "sgy", "joint_r2", "failed"):
                getattr(moments, name)[part] = getattr(refined, name)
            if missing_samples is not None:
                moments.syy[part] = refined.syy
        return moments

    def _missing_samples(self, block: _Block, rows: torch.Tensor) -> torch.Tensor:
        """Return the samples without a call of each of `rows`: int64 (V, maximum number of one row), padded with n."""
        n_missing = block.n_missing[rows]
        starts = (block.n_missing.cumsum(0) - block.n_missing)[rows]
        slots = torch.arange(int(n_missing.max()), device=self.device)
        places = (starts[:, None] + slots).clamp_(max=len(block.sample) - 1)
        return torch.where(slots < n_missing[:, None], block.sample[places], self.n)

    def _residual(
        self, products: torch.Tensor, gg: torch.Tensor, missing_samples: torch.Tensor | None, dtype: torch.dtype
    ) -> _Moments:
        """Remove the covariates and `missing_samples` from the products (V, c + P), with arrays of `dtype`."""
        b, gy = products[:, : self.c], products[:, self.c :]
        none_flagged = torch.zeros(len(gg), dtype=torch.bool, device=self.device)
        joint_r2 = torch.full_like(gg, torch.nan)
        if missing_samples is None:
            sgg, sgy, syy, failed, doubtful = gg - (b**2).sum(1), gy, self.syy, none_flagged, none_flagged
            if self.joint:
                joint_r2 = ((gy[:, self.spanning] @ self.whitening) ** 2).sum(1) / sgg
        else:
            refined_missing = self._rows_of(missing_samples, dtype)
            q, y = refined_missing[..., : self.c], refined_missing[..., self.c :]
            identity = torch.eye(self.c, dtype=torch.float64, device=self.device)
            inverse, pivot = _inverse_factor(identity - (q.mT @ q).double())
            failed, doubtful = pivot < MIN_PIVOT, pivot < DOUBTFUL_PIVOT
            u = (inverse @ b[..., None])[..., 0]
            v = inverse.to(dtype) @ -(q.mT @ y)
            sgg = gg - (u**2).sum(1)
            sgy = gy - (u.to(dtype)[:, None] @ v)[:, 0]
            syy = self.syy - y.square().sum(1) - v.square().sum(1)
            if self.joint:
                white = gy[:, self.spanning] @ self.whitening
                full, loose = self._explained(torch.hstack([b, white]), q, missing_samples, dtype)
                joint_r2 = (full - (u**2).sum(1)) / sgg
                doubtful = doubtful | loose
        doubtful = doubtful | (sgg < DOUBTFUL_SHARE * gg)
        best = (sgy**2 / syy).nan_to_num_(torch.inf).amax(1) / sgg
        return _Moments(sgg, sgy, syy, joint_r2.clamp_(0, 1), failed, doubtful | ~(best <= DOUBTFUL_R2))

    def _rows_of(self, samples: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return the rows of the columns for `samples` (V, m): (V, m, c + P); the padding sample n has zeros."""
        with self._lock:
            if dtype not in self.padded:
                self.padded[dtype] = torch.nn.functional.pad(self.columns[dtype], (0, 0, 0, 1))
        columns = self.padded[dtype]
        return columns.index_select(0, samples.flatten()).view(*samples.shape, columns.shape[1])

    def _white_rows_of(self, samples: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return the rows of the whitened features, whose columns are orthonormal: (V, m, spanning features)."""
        with self._lock:
            if dtype not in self.white:
                residuals = self.columns[torch.float64][:, self.c :]
                white = residuals[:, self.spanning] @ self.whitening
                self.white[dtype] = torch.nn.functional.pad(white.to(dtype), (0, 0, 0, 1))
        columns = self.white[dtype]
        return columns.index_select(0, samples.flatten()).view(*samples.shape, columns.shape[1])

    def _explained(
        self, z: torch.Tensor, q: torch.Tensor, missing_samples: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sum of squares of a variant explained by covariates and features among its called samples, (V,).

        Z holds the orthonormal columns of both, Z_k its rows of the missing samples, and z = Z'g. The result is
        z'(I - Z_k'Z_k)^-1 z = |z|^2 + (Z_k z)'(I - Z_k Z_k')^-1 (Z_k z); the smaller of the two systems is solved. It
        is NaN where the system is singular. The second value, bool (V,), marks systems that need float64.
        """
        rows = torch.cat([q, self._white_rows_of(missing_samples, dtype)], -1)
        if rows.shape[1] <= rows.shape[2]:
            rest, start, values = rows @ rows.mT, (z**2).sum(1), (rows @ z.to(dtype)[..., None]).double()
        else:
            rest, start, values = rows.mT @ rows, torch.zeros_like(z[:, 0]), z[..., None]
        identity = torch.eye(rest.shape[-1], dtype=torch.float64, device=self.device)
        factor, info = torch.linalg.cholesky_ex(identity - rest.double())
        pivot = torch.diagonal(factor, dim1=-2, dim2=-1).amin(-1).nan_to_num(0.0) ** 2
        singular = (info != 0) | (pivot <= NO_VARIANCE)
        factor[singular] = identity
        solved = torch.linalg.solve_triangular(factor, values, upper=False)[..., 0]
        return (start + (solved**2).sum(1)).masked_fill_(singular, torch.nan), singular | (pivot < DOUBTFUL_PIVOT)


def _inverse_factor(matrices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inverse of the lower Cholesky factor, (V, c, c), and its minimum squared pivot (0 if it fails)."""
    factor, info = torch.linalg.cholesky_ex(matrices)
    pivot = torch.diagonal(factor, dim1=-2, dim2=-1).amin(-1).nan_to_num(0.0) ** 2
    failed = (info != 0) | (pivot < MIN_PIVOT)
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    factor[failed] = identity
    return torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False), pivot.masked_fill(
        info != 0, 0.0
    )
