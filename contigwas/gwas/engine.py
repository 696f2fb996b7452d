"""The regression of all features on a block of variants: one product of matrices, then sums of squares in float64."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.design import Setup

FLAGS = np.array(["", "MONOMORPHIC", "TOO_FEW", "COLLINEAR"])
MONOMORPHIC, TOO_FEW, COLLINEAR = 1, 2, 3
LEAST_SHARE = 0.02  # of a variant's sum of squares left by the covariates: a variance inflation factor of 50
LEAST_PIVOT = 1e-6  # of the downdated Cholesky factor, squared
DOUBTFUL_SHARE, DOUBTFUL_R2 = 0.1, 0.99  # here float32 products lose too many digits and are made again in float64
NO_VARIANCE = 1e-10  # share of a feature's sum of squares left among the people called: below it, it is constant
ILL_CONDITIONED = 1e4  # of the features' correlation matrix: from here float32 does not carry the joint test
LEAST_HEIGHT = 64  # variants in a product
BATCH = 2**23  # numbers in the largest temporary array of the downdate (64 MiB)


@dataclass(frozen=True)
class Associations:
    """What one block of B variants says about P features; NaN where a variant or a feature cannot be tested.

    Attributes:
        n: people called, int64 (B,).
        flag: 0, or the position in `FLAGS` of why the variant is not tested, int8 (B,).
        df: residual degrees of freedom, int64 (B,).
        beta, se: effect of one allele and its standard error in the feature's own units, float64 (B, P).
        r2: squared partial correlation, float64 (B, P).
        joint_r2: share of a variant's variance explained by all features together, 1 - Wilks' lambda, float64 (B,).
    """

    n: np.ndarray
    flag: np.ndarray
    df: np.ndarray
    beta: np.ndarray
    se: np.ndarray
    r2: np.ndarray
    joint_r2: np.ndarray


@dataclass(frozen=True)
class _Block:
    """Products and sums of a block: dosages as read (B, n), who is missing, means, sums of squares, products."""

    raw: torch.Tensor
    absent: torch.Tensor
    mean: torch.Tensor
    gg: torch.Tensor
    products: torch.Tensor


@dataclass(frozen=True)
class _Downdate:
    """What the people without a call take away: Cholesky factor (V, c, c), L⁻¹D (V, c, P), syy (V, P), S or None."""

    factor: torch.Tensor
    cross: torch.Tensor
    syy: torch.Tensor
    scatter: torch.Tensor | None
    failed: torch.Tensor


class Kernel:
    """Exact complete-case linear regression of every feature of a setup on every variant of a block.

    Missing genotypes are taken out of the covariates' basis and of the features by a downdate, so each variant is
    fitted on the people called; `missing="mean"` puts the variant's mean instead. `joint` asks for `joint_r2`. The
    products are made in `dtype`, everything after them in float64.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        missing: str = "exact",
        min_ac: int = 0,
        joint: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take up a setup."""
        self.setup, self.exact, self.min_ac, self.joint = setup, missing == "exact", min_ac, joint
        self.n, self.c = setup.basis.shape
        # A row of zeros at the end: what lists of missing people are padded with.
        columns = np.hstack([setup.basis, setup.residuals])
        self.columns = torch.from_numpy(np.vstack([columns, np.zeros((1, columns.shape[1]))]))
        residuals = self.columns[:-1, self.c :]
        self.syy = (residuals**2).sum(0)
        self.scale = torch.from_numpy(setup.scale)
        self.spanning = torch.from_numpy(setup.spanning)
        if joint:
            self.scatter = residuals[:, self.spanning].T @ residuals[:, self.spanning]
            self.scatter_factor = torch.linalg.cholesky(self.scatter)
            if torch.linalg.cond(self.scatter) > ILL_CONDITIONED:
                dtype = torch.float64
        self.dtype = dtype
        self.rounded = self.columns[:-1].to(dtype)

    def __call__(self, dosages: np.ndarray) -> Associations:
        """Test a block: int8 dosages (n, B), -127 where not called, rows as the setup's people."""
        block = self._multiply(torch.from_numpy(np.ascontiguousarray(dosages.T)))
        lost = block.absent.sum(1)
        n = self.n - lost
        alleles = block.mean * n
        df = n - self.c - 1 if self.exact else torch.full_like(n, self.n - self.c - 1)
        flag = torch.zeros(len(n), dtype=torch.int8)
        flag[(df < 1) | (torch.minimum(alleles, 2 * n - alleles).round() < self.min_ac)] = TOO_FEW
        flag[block.gg <= 0] = MONOMORPHIC
        count = self.setup.residuals.shape[1]
        beta, se, r2 = (torch.full((len(n), count), torch.nan, dtype=torch.float64) for _ in range(3))
        joint_r2 = torch.full((len(n),), torch.nan, dtype=torch.float64)
        for rows in self._batches(flag, lost):
            downdate = self._downdate(block.absent[rows], lost[rows]) if self.exact and lost[rows[0]] else None
            sgg, sgy, syy = self._moments(block, rows, downdate)
            collinear = sgg < LEAST_SHARE * block.gg[rows]
            if downdate is not None:
                collinear |= downdate.failed
            flag[rows[collinear]] = COLLINEAR
            squared = (sgy**2 / (sgg[:, None] * syy)).clamp(0, 1)
            constant = syy <= NO_VARIANCE * self.syy
            squared[constant | collinear[:, None]] = torch.nan
            r2[rows] = squared
            beta[rows] = torch.where(squared.isnan(), torch.nan, self.scale * sgy / sgg[:, None])
            se[rows] = self.scale * (syy * (1 - squared) / (df[rows] * sgg)[:, None]).sqrt()
            if self.joint:
                joint = self._joint_r2(sgg, sgy, downdate)
                # Fewer people than the features need, counted as in the F test, have no joint test.
                joint[collinear | (df[rows] + 1 - len(self.spanning) < 1)] = torch.nan
                joint_r2[rows] = joint
        arrays = (one.numpy() for one in (n, flag, df, beta, se, r2, joint_r2))
        return Associations(*arrays)

    def _multiply(self, raw: torch.Tensor) -> _Block:
        """Centre the dosages by the mean of those called, missing ones at 0, and multiply by basis and residuals."""
        absent = raw < 0
        values = raw.to(self.dtype).masked_fill_(absent, 0)
        # Sums of small whole numbers: exact also in float32, as long as there are fewer than four million people.
        first, second = values.sum(1).double(), (values * values).sum(1).double()
        mean = torch.where(first > 0, first / (self.n - absent.sum(1)), 0.0)
        values.sub_(mean.to(self.dtype)[:, None]).masked_fill_(absent, 0)
        # Small products take other paths through the BLAS: of this height at least, they agree to the last bit.
        height = max(LEAST_HEIGHT, len(values))
        products = (torch.nn.functional.pad(values, (0, 0, 0, height - len(values))) @ self.rounded)[
            : len(raw)
        ].double()
        products[:, 0] = 0  # the intercept: a centred variant sums to 0
        return _Block(raw, absent, mean, second - first * mean, products)

    def _batches(self, flag: torch.Tensor, lost: torch.Tensor) -> Iterator[torch.Tensor]:
        """Rows still to be tested: those without a missing call at once, the others by similar numbers of them."""
        rows = torch.nonzero(flag == 0)[:, 0]
        plain = (lost[rows] == 0) | (not self.exact)
        if plain.any():
            yield rows[plain]
        rows = rows[~plain]
        rows = rows[torch.argsort(lost[rows], stable=True)]
        sizes = lost[rows].tolist()
        width = self.columns.shape[1]
        start = 0
        for stop in range(1, len(rows) + 1):
            full = stop == len(rows)
            if not full:
                each = sizes[stop] * width + self.c * width + (width * width if self.joint else 0)
                full = (stop + 1 - start) * each > BATCH or sizes[stop] > 1.25 * sizes[start] + 8
            if full:
                yield rows[start:stop]
                start = stop

    def _downdate(self, absent: torch.Tensor, lost: torch.Tensor) -> _Downdate:
        """Take the people without a call out of the setup, for each of V variants: `absent` (V, n), `lost` (V,)."""
        variant, person = torch.nonzero(absent, as_tuple=True)
        place = torch.arange(len(person)) - (lost.cumsum(0) - lost)[variant]
        people = torch.full((len(lost), int(lost.max())), self.n)
        people[variant, place] = person
        taken = self.columns[people]
        features = taken[..., self.c :]
        against = taken[..., : self.c].mT @ taken
        factor, info = torch.linalg.cholesky_ex(torch.eye(self.c, dtype=torch.float64) - against[..., : self.c])
        failed = (info != 0) | (torch.diagonal(factor, dim1=-2, dim2=-1).amin(-1) ** 2 < LEAST_PIVOT)
        factor[failed] = torch.eye(self.c, dtype=torch.float64)
        cross = torch.linalg.solve_triangular(factor, -against[..., self.c :], upper=False)
        syy = self.syy - (features**2).sum(1) - (cross**2).sum(1)
        scatter = None
        if self.joint:
            features, across = features[..., self.spanning], cross[..., self.spanning]
            scatter = self.scatter - features.mT @ features - across.mT @ across
        return _Downdate(factor, cross, syy, scatter, failed)

    def _moments(
        self, block: _Block, rows: torch.Tensor, downdate: _Downdate | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Residual sums of squares and products of `rows`: sgg (V,), sgy (V, P), syy (V, P).

        Where float32 cannot be trusted, the products are made again in float64.
        """
        products, gg = block.products[rows], block.gg[rows]
        sgg, sgy, syy = self._residual(products, gg, downdate)
        if self.dtype != torch.float64:
            r2 = sgy**2 / (sgg[:, None] * syy)
            doubtful = torch.nonzero((sgg < DOUBTFUL_SHARE * gg) | (r2 > DOUBTFUL_R2).any(1))[:, 0]
            if len(doubtful):
                step = max(1, BATCH // self.n)
                for some in doubtful.split(step):
                    chosen = rows[some]
                    values = (block.raw[chosen].double() - block.mean[chosen, None]).masked_fill_(
                        block.absent[chosen], 0
                    )
                    products[some] = values @ self.columns[:-1]
                sgg, sgy, syy = self._residual(products, gg, downdate)
        return sgg, sgy, syy

    def _residual(
        self, products: torch.Tensor, gg: torch.Tensor, downdate: _Downdate | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        b, gy = products[:, : self.c], products[:, self.c :]
        if downdate is None:
            return gg - (b**2).sum(1), gy, self.syy.expand_as(gy)
        u = torch.linalg.solve_triangular(downdate.factor, b[..., None], upper=False)
        sgy = gy - (u.mT @ downdate.cross)[:, 0]
        return gg - (u[..., 0] ** 2).sum(1), sgy, downdate.syy

    def _joint_r2(self, sgg: torch.Tensor, sgy: torch.Tensor, downdate: _Downdate | None) -> torch.Tensor:
        """sgyᵀ S⁻¹ sgy / sgg, (V,): the variant regressed on all features. NaN where S is singular."""
        sgy = sgy[:, self.spanning]
        if downdate is None:
            white = torch.linalg.solve_triangular(self.scatter_factor, sgy.T, upper=False).T
            return ((white**2).sum(1) / sgg).clamp(0, 1)
        factor, info = torch.linalg.cholesky_ex(downdate.scatter)
        pivots = torch.diagonal(factor, dim1=-2, dim2=-1) ** 2
        singular = (info != 0) | (pivots <= NO_VARIANCE * self.scatter.diagonal()).any(-1)
        factor[singular] = torch.eye(len(self.spanning), dtype=torch.float64)
        white = torch.linalg.solve_triangular(factor, sgy[..., None], upper=False)[..., 0]
        return ((white**2).sum(1) / sgg).clamp(0, 1).masked_fill_(singular, torch.nan)
