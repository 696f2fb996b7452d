"""Statistics of the training samples: means, SDs, carrier filter, pixel scaling."""

import numpy as np
import pytest
import torch

from contigwas.images.array import Photographs
from contigwas.pretrain import normalise
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import MISSING


def test_snps_are_imputed_by_the_mean_and_scaled_by_called_genotypes():
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 3, (50, 6)).astype(np.int8)
    raw[rng.random(raw.shape) < 0.2] = MISSING
    raw[:, 2] = 1  # constant
    raw[:, 4] = MISSING  # no called genotype
    normaliser = normalise.fit("snps", torch.from_numpy(raw))
    assert normaliser.keep.tolist() == [0, 1, 3, 5]
    new = rng.integers(0, 3, (9, 6)).astype(np.int8)
    new[0, 0] = MISSING
    got = normaliser(torch.from_numpy(new)).numpy()
    for column, feature in enumerate([0, 1, 3, 5]):
        called = raw[raw[:, feature] != MISSING, feature].astype(float)
        expected = (new[:, feature] - called.mean()) / called.std()
        expected[new[:, feature] == MISSING] = 0
        assert got[:, column] == pytest.approx(expected, abs=1e-5)


def test_blocks_of_features_join(monkeypatch):
    raw = torch.randn(20, 7)
    whole = normalise.fit("pgs", raw)(raw)
    monkeypatch.setattr(normalise, "CHUNK", 3)
    assert torch.equal(normalise.fit("pgs", raw)(raw), whole)


def test_components_are_regressed_out_by_least_squares():
    rng = np.random.default_rng(4)
    pcs = rng.normal(size=(80, 3)) * 0.01 + 0.002
    raw = rng.normal(size=(80, 6)) + 200 * pcs @ rng.normal(size=(3, 6))
    raw[rng.random(raw.shape) < 0.05] = np.nan
    raw[:, 4] = 7.0
    values, components = (torch.from_numpy(one.astype(np.float32)) for one in (raw, pcs))
    normaliser = normalise.fit("pgs", values[:50], components=components[:50])
    assert normaliser.keep.tolist() == [0, 1, 2, 3, 5]
    got = normaliser(values, components).numpy()
    mean, sd = np.nanmean(raw[:50], axis=0), np.nanstd(raw[:50], axis=0)
    filled = (np.where(np.isnan(raw), mean, raw) - mean)[:, [0, 1, 2, 3, 5]] / sd[[0, 1, 2, 3, 5]]
    columns = np.column_stack([np.ones(80), pcs])
    slopes = np.linalg.lstsq(columns[:50], filled[:50], rcond=None)[0]
    rest = filled - columns @ slopes
    assert got == pytest.approx(rest / rest[:50].std(axis=0), abs=2e-3)
    assert np.abs(np.corrcoef(got[:50].T, pcs[:50].T)[:5, 5:]).max() < 1e-3
    again = normalise.Normaliser(*(torch.empty_like(one) for one in normaliser.state_dict().values()))
    again.load_state_dict(normaliser.state_dict())
    assert torch.equal(again(values, components), normaliser(values, components))


def test_missing_scores_become_the_mean():
    raw = torch.tensor([[1.0, 5.0], [3.0, float("nan")], [float("nan"), 7.0]])
    got = normalise.fit("pgs", raw)(raw)
    assert got.tolist() == [[-1, -1], [1, 0], [0, 1]]


def test_carriers_are_counted_among_the_training_samples_only():
    raw = torch.zeros(100, 4, dtype=torch.int8)
    raw[:1, 1], raw[:3, 2], raw[:50, 3] = 1, 2, 1
    assert normalise.fit("burden", raw, min_carriers=1).keep.tolist() == [1, 2, 3]
    assert normalise.fit("burden", raw, min_carriers=3).keep.tolist() == [2, 3]


def test_rare_carriers_are_not_scaled_to_extreme_values():
    raw = torch.zeros(1000, 1, dtype=torch.int8)
    raw[0] = 1
    assert float(normalise.fit("burden", raw)(raw).max()) == pytest.approx(9.99, abs=0.01)


def test_constant_features_only_raise_an_error():
    with pytest.raises(UserError, match="no feature of burden varies among the 10 training samples"):
        normalise.fit("burden", torch.zeros(10, 3, dtype=torch.int8))


def test_pixels_are_centred_by_channel():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (30, 8, 8, 3), dtype=torch.uint8, generator=generator)
    pixels[..., 1] //= 2
    every = torch.arange(30)
    photographs = Photographs(pixels, every, every, torch.ones(30, dtype=torch.int64))
    scaled = normalise.fit_pixels(photographs, every)(photographs.gather(every).float() / 255)
    assert scaled.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-5)
    assert scaled.std(dim=(0, 2, 3)).tolist() == pytest.approx([1] * 3, abs=1e-5)
