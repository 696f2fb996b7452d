"""Histograms of -log10 p, and lambda from them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chi2

from contigwas.gwas.summary import EDGES, Histogram, read_lambda, read_summary


def write(path, values):
    histogram = Histogram(list(values))
    histogram.add(torch.from_numpy(np.column_stack(list(values.values()))))
    histogram.write(path)
    return path


def exact_lambda(log10p):
    return chi2.isf(10.0 ** -np.median(log10p), 1) / chi2.isf(0.5, 1)


def test_bins():
    assert (np.diff(EDGES) > 0).all()
    assert EDGES[0] == 0
    assert EDGES[2000] == 2
    assert np.isinf(EDGES[-1])
    np.testing.assert_allclose(np.diff(EDGES[:2001]), 0.001)
    np.testing.assert_allclose(EDGES[2001:-1] / EDGES[2000:-2], 1.01)


def test_every_value_falls_in_its_bin(tmp_path):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.exponential(0.4, 1000), [0, 0.0005, 2, 300, 1e9, np.inf, -1e-17, np.nan]])
    table = pd.read_parquet(write(tmp_path / "s.parquet", {"E1": values}))
    assert table.columns.tolist() == ["test", "bin_low", "bin_high", "count"]
    assert table["count"].sum() == 1007
    for row in table.itertuples():
        inside = (values >= row.bin_low) & (values < row.bin_high)
        if row.bin_low == 0:
            inside |= values < 0
        if np.isinf(row.bin_high):
            inside |= np.isinf(values)
        assert inside.sum() == row.count


def test_lambda_from_all_chromosomes(tmp_path):
    rng = np.random.default_rng(2)
    inflated = [-chi2.logsf(1.3 * rng.chisquare(1, size), 1) / np.log(10) for size in (4001, 900, 30)]
    null = [-np.log10(rng.random(size)) for size in (4001, 900, 30)]
    paths = [
        write(tmp_path / f"{k}.parquet", {"E1": one, "manova": two})
        for k, (one, two) in enumerate(zip(null, inflated, strict=True))
    ]
    found = read_lambda(paths).set_index("test")
    assert found.index.tolist() == ["E1", "manova"]
    assert found["n"].tolist() == [4931, 4931]
    assert found.loc["E1", "lambda"] == pytest.approx(exact_lambda(np.concatenate(null)), abs=3e-3)
    assert found.loc["manova", "lambda"] == pytest.approx(exact_lambda(np.concatenate(inflated)), abs=3e-3)
    assert found.loc["manova", "lambda"] == pytest.approx(1.3, abs=0.1)
    together = read_summary(paths)
    assert together["count"].sum() == 2 * 4931
    assert not together.duplicated(["test", "bin_low"]).any()
    assert together.groupby("test")["bin_low"].is_monotonic_increasing.all()


def test_a_test_without_any_p(tmp_path):
    found = read_lambda([write(tmp_path / "s.parquet", {"E1": np.full(2, np.nan), "E2": np.array([0.3, np.nan])})])
    assert found["n"].tolist() == [0, 1]
    assert np.isnan(found["lambda"][0])
    assert found["lambda"][1] == pytest.approx(1, abs=0.01)
