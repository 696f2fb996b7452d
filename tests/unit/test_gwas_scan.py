"""Invariances of the GWAS, and changes with a known effect."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contigwas.gwas.counts import count
from contigwas.gwas.gwas import write_gwas
from contigwas.runtime.errors import UserError
from tests.genotype_files import write_pgen
from tests.gwas_files import SETTINGS, arrays, least_squares, write_study
from tests.plink_files import iids, write_plink

ROOT = Path(__file__).resolve().parents[2]
FEATURES = ["E1", "E2", "E3", "E4"]


def run(paths, folder, name="out", chrom=1, options=None, **keywords):
    output = folder / f"{name}.parquet"
    files = paths["phenotypes"], paths["covariates"]
    chosen = {**SETTINGS, **(options or {})}
    write_gwas(paths["pattern"], chrom, None, *files, chosen, output, folder / f"{name}.summary.parquet", **keywords)
    return pd.read_parquet(output)


def same(one, other, sign=1):
    """Within 1e-5 standard errors, and the p-values with them."""
    for name in FEATURES:
        assert (np.abs(one[f"beta_{name}"] - sign * other[f"beta_{name}"]) <= 1e-5 * other[f"se_{name}"]).all()
        np.testing.assert_allclose(one[f"se_{name}"], other[f"se_{name}"], rtol=1e-5)
    for name in [*FEATURES, "manova", "minp", "acat"]:
        np.testing.assert_allclose(one[f"log10p_{name}"], other[f"log10p_{name}"], rtol=1e-4, atol=1e-5)


@pytest.fixture
def study(tmp_path):
    found = arrays(61, samples=500, variants=90, missing=0.02)
    return write_study(tmp_path, *found), found, tmp_path


@pytest.mark.parametrize("threads", [2, 5])
def test_results_do_not_depend_on_threads(study, threads):
    paths, _, folder = study
    one = run(paths, folder, threads=1, block=20)
    pd.testing.assert_frame_equal(run(paths, folder, threads=threads, block=20), one, check_exact=True)
    assert torch.get_num_threads() >= 1


def test_features_alone_or_together(study):
    paths, _, folder = study
    together = run(paths, folder)
    table = pd.read_parquet(paths["phenotypes"])
    for name in FEATURES:
        alone = folder / f"{name}.pheno.parquet"
        table[["iid", name]].to_parquet(alone)
        single = run({**paths, "phenotypes": alone}, folder, name)
        assert (np.abs(single[f"beta_{name}"] - together[f"beta_{name}"]) <= 1e-5 * together[f"se_{name}"]).all()
        np.testing.assert_allclose(single[f"log10p_{name}"], together[f"log10p_{name}"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(single["log10p_manova"], single[f"log10p_{name}"], rtol=1e-4, atol=1e-4)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_shuffled_samples_and_swapped_alleles(tmp_path, seed):
    dosages, design, values = arrays(62, samples=200, variants=30, missing=0.03)
    plain = run(write_study(tmp_path, dosages, design, values), tmp_path)
    order = np.random.default_rng(seed).permutation(200)
    # the same samples under new names, in another order: rows of genotypes and tables move together
    moved = run(write_study(tmp_path, dosages[order], design[order], values[order], seed=seed % 1000), tmp_path)
    same(moved, plain)
    swapped = np.where(dosages < 0, dosages, 2 - dosages).astype(np.int8)
    turned = run(write_study(tmp_path, swapped, design, values), tmp_path)
    same(turned, plain, sign=-1)
    np.testing.assert_allclose(turned["eaf"], 1 - plain["eaf"], atol=1e-6)


def test_dosages_are_regressed_as_they_are(tmp_path):
    dosages, design, values = arrays(63, samples=400, variants=30, missing=0.02)
    rng = np.random.default_rng(0)
    soft = np.clip(dosages + rng.uniform(-0.45, 0.45, dosages.shape), 0, 2)
    soft = np.round(soft * 16384) / 16384  # what a .pgen stores
    soft[dosages < 0] = np.nan
    soft[:, 3] = np.where(np.isnan(soft[:, 3]), np.nan, 0.9 + 0.1 * soft[:, 3])  # badly imputed
    soft[:, 3] = np.round(soft[:, 3] * 16384) / 16384
    paths = write_study(tmp_path, dosages, design, values)
    paths["pattern"] = write_pgen(tmp_path / "g.pgen", soft.astype(np.float32), iids(400), ["1"] * 30)
    table = run(paths, tmp_path)
    for row in range(30):
        exact = least_squares(np.where(np.isnan(soft[:, row]), -1, soft[:, row]), design, values)
        assert table["n"][row] == exact["n"]
        assert table["eaf"][row] == pytest.approx(np.nanmean(soft[:, row]) / 2, rel=1e-5)
        for k, name in enumerate(FEATURES):
            assert abs(table[f"beta_{name}"][row] - exact["beta"][k]) <= 1e-5 * exact["se"][k] + 1e-6 * abs(
                exact["beta"][k]
            )
            assert table[f"se_{name}"][row] == pytest.approx(exact["se"][k], rel=1e-5)
    kept = run(paths, tmp_path, options={"qc": {"maf": 0.0, "info": 0.4}})
    assert len(kept) == 29
    assert table["id"][3] not in set(kept["id"])


def test_imputation_quality_is_the_variance_of_the_dosages_over_that_of_calls():
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 2, (5, 300)).astype(np.float32)
    values[2, :40] = np.nan
    males = rng.random(300) < 0.4
    linked = np.array([False, True, True, False, True])
    found, _, _ = count(torch.from_numpy(values), torch.from_numpy(males), torch.from_numpy(linked))
    for row in range(5):
        there = ~np.isnan(values[row])
        g, men = values[row, there].astype(float), males[there]
        if linked[row]:
            p = (g[~men].sum() + g[men].sum() / 2) / (2 * (~men).sum() + men.sum())
            expected = (2 * p * (1 - p) * (~men).sum() + 4 * p * (1 - p) * men.sum()) / len(g)
        else:
            p = g.mean() / 2
            expected = 2 * p * (1 - p)
        assert float(found.eaf[row]) == pytest.approx(p, rel=1e-6)
        assert float(found.info[row]) == pytest.approx(g.var() / expected, rel=1e-5)


def test_columns_and_effects_that_are_left_empty(study):
    paths, _, folder = study
    whole = run(paths, folder)
    some = run(paths, folder, "some", options={"columns": ["log10p"], "max_p": 0.01})
    numbers = [name for name in some.columns if name.rpartition("_")[2] in FEATURES]
    assert numbers == [f"log10p_{name}" for name in FEATURES]
    small = whole[numbers] >= np.float32(2.0)
    assert 0 < small.to_numpy().sum() < small.size
    pd.testing.assert_frame_equal(some[numbers], whole[numbers].where(small))
    for name in ("minp", "manova", "acat"):
        pd.testing.assert_series_equal(some[f"log10p_{name}"], whole[f"log10p_{name}"])
    one, two = (pd.read_parquet(folder / f"{name}.summary.parquet") for name in ("out", "some"))
    pd.testing.assert_frame_equal(one, two)


def test_models_of_many_features_have_several_files(study, monkeypatch):
    from contigwas.gwas import output
    from contigwas.loci import gwas_file

    paths, _, folder = study
    whole = run(paths, folder)
    assert list((folder / "out.features").iterdir()) == []
    monkeypatch.setattr(output, "FILE_FEATURES", 3)
    monkeypatch.setattr(output, "ROW_GROUP", 32)
    first = run(paths, folder, "wide", block=10)
    path = folder / "wide.parquet"
    assert [one.name for one in (folder / "wide.features").iterdir()] == ["features_4-4.parquet"]
    assert "beta_E3" in first.columns
    assert "beta_E4" not in first.columns
    assert first.columns[-1] == "log10p_acat"
    assert gwas_file.features(path) == FEATURES
    names = ["pos", "beta_E4", "beta_E1", "log10p_manova"]
    pd.testing.assert_frame_equal(gwas_file.read_columns(path, names), whole[names], rtol=1e-6)
    parts = list(gwas_file.read_groups(path, names))
    assert len(parts) > 1
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole[names], rtol=1e-6)
    rows = np.array([77, 3, 40])
    pd.testing.assert_frame_equal(
        gwas_file.read_rows(path, rows, [*names, "nothing"]), whole.loc[rows, names].reset_index(drop=True), rtol=1e-6
    )
    with pytest.raises(UserError, match="no column beta_E9"):
        gwas_file.read_columns(path, ["beta_E9", "beta_E4"])


def test_a_feature_with_the_name_of_a_test(study):
    paths, _, folder = study
    table = pd.read_parquet(paths["phenotypes"]).rename(columns={"E2": "minp"})
    table.to_parquet(paths["phenotypes"])
    with pytest.raises(UserError, match="a feature has the name of a test, minp. Rename the feature"):
        run(paths, folder)


def test_chromosome_x_without_sex(tmp_path):
    dosages, design, values = arrays(64, samples=60, variants=8)
    paths = write_study(tmp_path, dosages, design, values)
    write_plink(paths["pattern"], dosages, iids(60), "X", sex=[0] * 60, bp_position=[5_000_000 + k for k in range(8)])
    with pytest.raises(UserError, match="the sex of all samples is unknown, but chromosome X needs it"):
        run(paths, tmp_path, chrom="X")
    # a covariate tells it
    table = pd.read_parquet(paths["covariates"])
    table["sex"] = (table["iid"].astype(int) % 2).astype(float)
    table.to_parquet(paths["covariates"])
    assert len(run(paths, tmp_path, chrom="X")) == 8


def test_full_disk_leaves_no_files(study):
    paths, _, folder = study
    program = f"""
        import resource, signal
        from contigwas.gwas.gwas import write_gwas
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        write_gwas({str(paths["pattern"])!r}, 1, None, {str(paths["phenotypes"])!r}, {str(paths["covariates"])!r},
                   {SETTINGS!r}, {str(folder / "full.parquet")!r}, {str(folder / "full.summary.parquet")!r})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode != 0
    assert "UserError" in done.stderr
    assert "parquet cannot be written, because the file exceeds the maximum file size" in done.stderr
    assert not [one for one in folder.iterdir() if "full" in one.name]
