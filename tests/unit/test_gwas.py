"""write_gwas from files to files."""

import json
import logging

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import stats

from contigwas.gwas import output as output_module
from contigwas.gwas.gwas import write_gwas
from contigwas.gwas.summary import read_lambda
from contigwas.runtime.errors import UserError
from tests.gwas_files import SETTINGS, arrays, least_squares, write_study
from tests.plink_files import iids, write_plink


def run(paths, folder, variants=None, block=None, **settings):
    write_gwas(
        paths["pattern"],
        1,
        variants,
        paths["phenotypes"],
        paths["covariates"],
        {**SETTINGS, **settings},
        folder / "out.parquet",
        folder / "summary.parquet",
        block=block,
    )
    return pd.read_parquet(folder / "out.parquet")


@pytest.fixture
def study(tmp_path):
    """300 samples, 40 variants with 5 % missing calls, four features, three covariates."""
    found = arrays(21)
    return write_study(tmp_path, *found), found, tmp_path


def test_columns_and_numbers(study):
    paths, (dosages, design, values), folder = study
    table = run(paths, folder)
    columns = ["chrom", "pos", "id", "effect_allele", "other_allele", "eaf", "n", "flag"]
    columns += [f"{kind}_E{k}" for k in range(1, 5) for kind in ("beta", "se", "log10p")]
    assert table.columns.tolist() == [*columns, "log10p_minp", "log10p_manova", "log10p_acat"]
    assert table.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(table.columns, "float32"),
        **dict.fromkeys(["chrom", "id", "effect_allele", "other_allele", "flag"], "object"),
        **dict.fromkeys(["pos", "n"], "int32"),
    }
    assert table["pos"].tolist() == [1000 * k for k in range(1, 41)]
    assert (table[["chrom", "effect_allele", "other_allele"]].to_numpy() == ["1", "A", "G"]).all()
    assert (table["flag"] == "").all()
    for row in range(40):
        exact = least_squares(dosages[:, row], design, values)
        called = dosages[dosages[:, row] >= 0, row]
        assert table["n"][row] == len(called)
        assert table["eaf"][row] == pytest.approx(called.mean() / 2, rel=1e-6)
        for k in range(4):
            assert table[f"beta_E{k + 1}"][row] == pytest.approx(exact["beta"][k], abs=1e-5 * exact["se"][k], rel=1e-5)
            assert table[f"se_E{k + 1}"][row] == pytest.approx(exact["se"][k], rel=1e-5)
    best = table[[f"log10p_E{k}" for k in range(1, 5)]].max(axis=1)
    np.testing.assert_allclose(table["log10p_minp"], np.maximum(best - np.log10(4), 0), rtol=1e-5, atol=1e-6)
    assert not list(folder.glob(".*tmp*"))


def test_the_summary_holds_all_tests(study):
    paths, _, folder = study
    table = run(paths, folder)
    found = read_lambda([folder / "summary.parquet"])
    assert found["test"].tolist() == ["E1", "E2", "E3", "E4", "minp", "manova", "acat"]
    assert (found["n"] == len(table)).all()


@pytest.mark.parametrize("block", [1, 7, 39, 1000])
def test_results_do_not_depend_on_block_size(study, block):
    paths, _, folder = study
    whole = run(paths, folder)
    pd.testing.assert_frame_equal(run(paths, folder, block=block), whole, rtol=1e-6, atol=1e-7)
    summary = pd.read_parquet(folder / "summary.parquet")
    assert summary.loc[summary["test"] == "manova", "count"].sum() == 40


def test_selected_tests_only(study):
    paths, _, folder = study
    table = run(paths, folder, tests=["acat"])
    assert [name for name in table.columns if name.startswith("log10p_") and "_E" not in name] == ["log10p_acat"]
    assert "minp" not in set(pd.read_parquet(folder / "summary.parquet")["test"])


def test_features_with_missing_samples(tmp_path):
    dosages, design, values = arrays(22)
    values[:40, 1] = np.nan
    values[30:90, 2] = np.nan
    values[:, 3] = np.nan
    paths = write_study(tmp_path, dosages, design, values)
    table = run(paths, tmp_path)
    assert [name for name in table.columns if name.startswith("n_")] == ["n_E2", "n_E3", "n_E4"]
    assert (table["n_E4"] == 0).all()
    assert table[["beta_E4", "se_E4", "log10p_E4"]].isna().all(axis=None)
    both = ~np.isnan(values[:, :3]).any(axis=1)
    for row in range(40):
        for k, name in enumerate(["E1", "E2", "E3"]):
            use = ~np.isnan(values[:, k])
            exact = least_squares(dosages[use, row], design[use], values[use, k : k + 1])
            t = table[f"beta_{name}"][row] / table[f"se_{name}"][row]
            assert t == pytest.approx(exact["beta"][0] / exact["se"][0], rel=1e-5, abs=1e-5)
            assert table["n" if k == 0 else f"n_{name}"][row] == exact["n"]
        joint = least_squares(dosages[both, row], design[both], values[both, :3])
        f = joint["joint_r2"] / 3 / ((1 - joint["joint_r2"]) / (joint["df"] - 2))
        expected = -np.log10(stats.f.sf(f, 3, joint["df"] - 2))
        assert table["log10p_manova"][row] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    best = table[["log10p_E1", "log10p_E2", "log10p_E3"]].max(axis=1)
    np.testing.assert_allclose(table["log10p_minp"], np.maximum(best - np.log10(3), 0), rtol=1e-5, atol=1e-6)


def test_rare_variants_are_left_out_and_counted(study, caplog):
    paths, (dosages, design, values), folder = study
    dosages[:, :5] = 0
    dosages[:3, 3] = 1
    dosages[:30, 4] = 1
    write_study(folder, dosages, design, values)
    with caplog.at_level(logging.INFO):
        table = run(paths, folder, qc={"maf": 0.02}, min_ac=20)
    assert table["id"].tolist() == [f"rs1_{k}" for k in range(4, 40)]
    assert "36 variants tested, 4 left out with a minor-allele frequency below 0.02" in caplog.text
    notes = json.loads(pq.ParquetFile(folder / "out.parquet").metadata.metadata[b"contigwas"])
    assert (notes["n_samples"], notes["variants"], notes["variants_below_maf"]) == (300, 36, 4)
    table = run(paths, folder, min_ac=20)
    assert table["flag"].tolist()[:5] == ["MONOMORPHIC"] * 3 + ["TOO_FEW", ""]
    assert table.loc[:3, ["beta_E1", "log10p_E1", "log10p_manova", "log10p_acat", "log10p_minp"]].isna().all(axis=None)


def test_no_common_variant_gives_an_empty_table(study):
    paths, _, folder = study
    table = run(paths, folder, qc={"maf": 0.5})
    assert len(table) == 0
    assert "log10p_manova" in table.columns
    assert read_lambda([folder / "summary.parquet"])["n"].tolist() == [0] * 7


def test_qc_table_selects_the_variants(study):
    paths, _, folder = study
    kept = np.arange(40) % 3 == 0
    qc = pd.DataFrame({"id": [f"rs1_{k}" for k in range(40)], "kept": kept, "index": np.arange(40, dtype=np.int32)})
    qc.to_parquet(folder / "qc.parquet")
    table = run(paths, folder, variants=folder / "qc.parquet")
    assert table["id"].tolist() == qc.loc[kept, "id"].tolist()
    qc["id"] = qc["id"].to_numpy()[::-1]
    qc.to_parquet(folder / "qc.parquet")
    with pytest.raises(UserError, match="the variants are not those of"):
        run(paths, folder, variants=folder / "qc.parquet")


def test_rows_are_in_order_of_position(tmp_path):
    dosages, design, values = arrays(23)
    paths = write_study(tmp_path, dosages, design, values)
    sorted_table = run(paths, tmp_path)
    order = np.random.default_rng(0).permutation(40)
    properties = {"bp_position": 1000 * (order + 1), "sid": [f"rs1_{k}" for k in order]}
    write_plink(paths["pattern"], dosages[:, order], iids(300), **properties)
    pd.testing.assert_frame_equal(run(paths, tmp_path), sorted_table)


def test_row_groups_are_large(study, monkeypatch):
    paths, _, folder = study
    monkeypatch.setattr(output_module, "ROW_GROUP", 8)
    table = run(paths, folder, block=3)
    file = pq.ParquetFile(folder / "out.parquet")
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert sum(sizes) == 40
    assert min(sizes[:-1]) >= 8
    assert table["pos"].is_monotonic_increasing
    column = file.metadata.row_group(0).column(file.schema_arrow.names.index("beta_E1"))
    assert column.compression == "ZSTD"
    assert not column.has_dictionary_page


def test_samples_are_joined_by_iid_and_counted(study, caplog):
    paths, (dosages, design, values), folder = study
    phenotypes = pd.read_parquet(paths["phenotypes"])
    names = iids(300)
    phenotypes = phenotypes[~phenotypes["iid"].isin(names[:10])]
    phenotypes.loc[phenotypes["iid"].isin(names[10:15]), ["E1", "E2", "E3", "E4"]] = np.nan
    extra = phenotypes.tail(3).assign(iid=["A1", "A2", "A3"])
    pd.concat([phenotypes, extra]).to_parquet(paths["phenotypes"])
    covariates = pd.read_parquet(paths["covariates"])
    covariates.loc[covariates["iid"].isin(names[15:17]), "c2"] = np.nan
    covariates = covariates[~covariates["iid"].isin(names[17:20])]
    pd.concat([covariates, covariates.tail(3).assign(iid=["A1", "A2", "A3"])]).to_parquet(paths["covariates"])
    with caplog.at_level(logging.INFO):
        table = run(paths, folder)
    assert (
        "293 samples have phenotypes: 5 without any feature, 5 without all covariates and 3 without genotypes are left "
        "out, 280 are tested" in caplog.text
    )
    exact = least_squares(dosages[20:, 6], design[20:], values[20:])
    assert table["n"][6] == exact["n"]
    np.testing.assert_allclose([table[f"se_E{k}"][6] for k in range(1, 5)], exact["se"], rtol=1e-5)
    assert names[0] not in caplog.text


def test_null_calibration(tmp_path):
    dosages, design, _ = arrays(24, samples=400, variants=1500, missing=0.02)
    values = np.random.default_rng(25).normal(size=(400, 5))
    table = run(write_study(tmp_path, dosages, design, values), tmp_path)
    found = read_lambda([tmp_path / "summary.parquet"]).set_index("test")["lambda"]
    assert found[["E1", "E2", "E3", "E4", "E5"]].mean() == pytest.approx(1, abs=0.08)
    assert found["manova"] == pytest.approx(1, abs=0.15)
    for test in ("manova", "acat", "E1"):
        p = 10.0 ** -table[f"log10p_{test}"]
        assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert (10.0 ** -table["log10p_minp"] < 0.05).mean() == pytest.approx(0.05, abs=0.02)


def test_no_common_samples(study):
    paths, _, folder = study
    table = pd.read_parquet(paths["phenotypes"])
    table.assign(iid=[f"HG{k:05d}" for k in range(300)]).to_parquet(paths["phenotypes"])
    with pytest.raises(UserError, match=r"no sample is in both the phenotypes.*HG and 5 digits.*7 digits"):
        run(paths, folder)
    assert not (folder / "out.parquet").exists()
    assert not (folder / "summary.parquet").exists()


def test_covariates_of_other_samples(study):
    paths, _, folder = study
    table = pd.read_parquet(paths["covariates"])
    table.assign(iid=[f"X{k}" for k in range(300)]).to_parquet(paths["covariates"])
    with pytest.raises(UserError, match="no sample is in both the phenotypes"):
        run(paths, folder)


def test_covariates_missing_for_all_samples(study):
    paths, _, folder = study
    pd.read_parquet(paths["covariates"]).assign(c1=np.nan).to_parquet(paths["covariates"])
    with pytest.raises(UserError, match="none of the 300 samples"):
        run(paths, folder)


def test_fewer_samples_than_covariates(tmp_path):
    dosages, _, values = arrays(26, samples=20)
    paths = write_study(tmp_path, dosages, np.random.default_rng(0).normal(size=(20, 19)), values)
    with pytest.raises(UserError, match=r"too few samples to fit 19 covariates \(there are 20 samples\)"):
        run(paths, tmp_path)
    assert not (tmp_path / "out.parquet").exists()


def test_a_constant_covariate_is_named(study, caplog):
    paths, (dosages, design, values), folder = study
    pd.read_parquet(paths["covariates"]).assign(site=2.0).to_parquet(paths["covariates"])
    with caplog.at_level(logging.WARNING):
        table = run(paths, folder)
    assert "constant covariates are left out: site" in caplog.text
    exact = least_squares(dosages[:, 3], design, values)
    assert table["se_E1"][3] == pytest.approx(exact["se"][0], rel=1e-5)


def test_invalid_tables(study):
    paths, _, folder = study
    good = pd.read_parquet(paths["phenotypes"])
    for bad, sentence in (
        (good[["iid"]], "no column other than iid"),
        (good.drop(columns="iid"), "no column iid"),
        (good.assign(E1="text"), "column E1 is not numeric"),
        (pd.concat([good, good.head(1)]), "1 individual IDs appear more than once"),
    ):
        bad.to_parquet(paths["phenotypes"])
        with pytest.raises(UserError, match=sentence):
            run(paths, folder)
