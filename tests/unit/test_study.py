"""The simulation study (benchmarks/simulation): its plan holds together, its sums and permutations are right."""

import doctest
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks/simulation"))

import cells
import stages
import tables


@pytest.fixture(scope="module")
def study(root):
    return yaml.safe_load((root / "benchmarks/simulation/study.yaml").read_text())


def test_every_setting_is_a_config_and_every_cell_has_its_models(study):
    for setting in study["settings"]:
        config = cells.config_of(study, setting, seed=7)
        assert config["seed"] == 7
        models = [model for cell in study["cells"].values() for model in cell]
        assert set(models) <= set(config["models"])
    assert cells.config_of(study, "fewer_samples", 1)["simulate"]["n_samples"] == 1500
    assert {way for ways in study["ways"].values() for way in ways} <= set(cells.WAYS)
    assert set(study["settings"]) == set(tables.SETTINGS)
    assert set(models) <= set(tables.MODELS)
    nulls = len(study["seeds"]) * study["calibration"]["permutations"]
    assert nulls >= 20


def table(positions, log10p):
    made = pd.DataFrame({"pos": positions, "id": [f"rs{one}" for one in positions]})
    return made.assign(effect_allele="A", other_allele="G", log10p_manova=np.asarray(log10p, np.float32))


def test_chi_squareds_are_summed_over_the_folds_that_tested_a_variant():
    folds = [table([10, 20, 30], [3.0, 0.2, np.nan]), table([10, 20, 40], [1.5, 0.1, 7.0])]
    found = cells._sum_of_folds(folds, [5, 4]).set_index("pos")["log10p_manova"]
    both = chi2.isf(1e-3, 5) + chi2.isf(10**-1.5, 4)
    assert found[10] == pytest.approx(-chi2.logsf(both, 9) / np.log(10), rel=1e-5)
    assert found[40] == pytest.approx(7.0, rel=1e-5)  # tested in the second fold alone
    assert np.isnan(found[30])
    assert found.index.tolist() == [10, 20, 30, 40]


def test_summed_chi_squareds_of_nulls_are_uniform():
    rng = np.random.default_rng(1)
    positions = np.arange(20000)
    folds = [table(positions, -np.log10(rng.random(len(positions)))) for _ in range(3)]
    p = 10.0 ** -cells._sum_of_folds(folds, [5, 5, 5])["log10p_manova"].to_numpy()
    assert p.mean() == pytest.approx(0.5, abs=0.01)
    assert (p < 0.01).mean() == pytest.approx(0.01, abs=0.003)


def test_all_images_of_a_sample_go_to_one_other_sample(tmp_path):
    samples = np.repeat([f"P{number}" for number in range(200)], 2)
    images = pd.DataFrame({"row": np.arange(400), "iid": samples, "eye": ["left", "right"] * 200, "kept": True})
    images.to_parquet(tmp_path / "images.parquet")
    mixed = pd.read_parquet(stages.shuffled(tmp_path / "images.parquet", 3, tmp_path / "mixed.parquet"))
    pairs = pd.DataFrame({"old": images["iid"], "new": mixed["iid"]}).drop_duplicates()
    assert len(pairs) == 200
    assert pairs["new"].is_unique
    assert (pairs["old"] == pairs["new"]).sum() < 10
    pd.testing.assert_frame_equal(mixed.drop(columns="iid"), images.drop(columns="iid"))
    again = pd.read_parquet(stages.shuffled(tmp_path / "images.parquet", 4, tmp_path / "other.parquet"))
    assert (again["iid"] != mixed["iid"]).any()


def test_the_tables_examples():
    assert doctest.testmod(tables).failed == 0
