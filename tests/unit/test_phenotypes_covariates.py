"""Covariates by name: lookup, conversion to numbers, and errors."""

import logging

import numpy as np
import pandas as pd
import pytest

from contigwas.phenotypes.covariates import complete, numeric
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import expand, read_covariates

NAMES = [str(1000001 + k) for k in range(12)]


@pytest.fixture
def files(tmp_path):
    """A table without the last sample, in reversed order; two PCs; a cohort with sexes 0, 1 and 2."""
    table = pd.DataFrame({"iid": NAMES[:-1], "age": np.arange(50, 61), "site": list("bacabcabcab"), "PC1": -1.0})
    write_tsv(table.iloc[::-1], tmp_path / "covariates.tsv")
    pd.DataFrame({"iid": NAMES, "PC1": 0.5, "PC2": np.arange(12) / 10}).to_parquet(tmp_path / "pcs.parquet")
    cohort = pd.DataFrame({"iid": NAMES, "sex": [k % 3 for k in range(12)]})
    return tmp_path / "covariates.tsv", tmp_path / "pcs.parquet", cohort


def test_ranges():
    assert expand(["sex", "PC1-PC3", "age"]) == ["sex", "PC1", "PC2", "PC3", "age"]
    assert expand(["PC9-PC11", "PC10"]) == ["PC9", "PC10", "PC11"]
    assert expand(["batch-2", "PC3-PC1", "a1-b3"]) == ["batch-2", "PC3-PC1", "a1-b3"]


def test_joined_by_name_from_every_source(files):
    found = read_covariates(["age", "PC1-PC2", "sex"], *files)
    assert found.index.tolist() == NAMES
    assert found.columns.tolist() == ["age", "PC1", "PC2", "sex"]
    assert found["age"].tolist()[:11] == list(range(50, 61))
    assert np.isnan(found["age"].iloc[-1])
    assert found["PC1"].tolist()[:11] == [-1.0] * 11, "the user-supplied table goes before the computed PCs"
    assert found["PC2"].tolist() == [k / 10 for k in range(12)]
    np.testing.assert_array_equal(found["sex"].to_numpy()[:3], [np.nan, 1, 2])


def test_a_name_that_does_not_exist(files):
    with pytest.raises(UserError, match="names height_cm, but .*covariates.tsv.* only age, site, PC1, PC2, sex"):
        read_covariates(["age", "height_cm"], *files)
    with pytest.raises(UserError, match=r"names PC3, PC4, but .* increase genotypes\.pcs"):
        read_covariates(["PC1-PC4"], *files)
    with pytest.raises(UserError, match=r"names age, but samples\.covariates \(not given\)"):
        read_covariates(["age"], None, files[1], files[2])


def test_the_table_is_of_other_samples(files, tmp_path):
    write_tsv(pd.DataFrame({"iid": ["HG00001", "HG00002"], "age": [1, 2]}), tmp_path / "other.tsv")
    with pytest.raises(UserError, match=r"no sample is in both.*HG and 5 digits"):
        read_covariates(["age"], tmp_path / "other.tsv", files[1], files[2])


def test_incomplete_samples_are_counted(files, caplog):
    table = read_covariates(["age", "site", "sex"], *files)
    table.loc[NAMES[4], "site"] = "NA"
    table.loc[NAMES[5], "age"] = np.inf
    with caplog.at_level(logging.WARNING):
        samples = complete(table, pd.Index(NAMES), files[0])
    assert samples.tolist() == [NAMES[k] for k in (1, 2, 7, 8, 10)]
    assert "7 of 12 samples with a missing covariate are left out (age 2, site 2, sex 4)" in caplog.text
    with pytest.raises(UserError, match=r"none of the 12 samples .*.missing: age in 12, site in 2, sex in 4\)"):
        complete(table.assign(age=np.nan), pd.Index(NAMES), files[0])


def test_texts_folds_and_constants(files, caplog):
    table = read_covariates(["age", "site", "PC1"], *files).iloc[:11]
    folds = pd.Series([k % 3 for k in range(11)], index=table.index)
    with caplog.at_level(logging.WARNING):
        design = numeric(table, folds, files[0])
    assert design.columns.tolist() == ["age", "site=b", "site=c", "fold1", "fold2"]
    assert design["site=b"].tolist() == [float(one == "b") for one in "bacabcabcab"]
    assert design["fold2"].tolist() == [float(k % 3 == 2) for k in range(11)]
    assert (design.dtypes == np.float64).all()
    assert "constant covariates are left out: PC1" in caplog.text


def test_a_text_with_too_many_values():
    table = pd.DataFrame({"code": [f"x{k}" for k in range(40)]})
    with pytest.raises(UserError, match=r"covariate code is text with 40 different values"):
        numeric(table, None, "covariates.tsv")


def test_fewer_samples_than_covariates():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 6)), columns=list("abcdef"))
    with pytest.raises(UserError, match="8 samples are too few for 6 covariates"):
        numeric(table, None, "covariates.tsv")
    assert numeric(table.iloc[:, :5], None, "covariates.tsv").shape == (8, 5)


def test_no_covariates(files):
    table = read_covariates([], None, None, files[2])
    assert numeric(table.loc[complete(table, pd.Index(NAMES), None)], None, None).shape == (12, 0)


def test_coded_categories_are_not_numeric(tmp_path, files):
    """UK Biobank's centres and batches are numbers that mean nothing as numbers."""
    centres = [11010, 11011, 11012, 11011, "NA", 11010, 11012, 11011, 11010, 11010, 11012, 11011]
    write_tsv(pd.DataFrame({"iid": NAMES, "centre": centres}), tmp_path / "centres.tsv")
    found = read_covariates(["factor(centre)", "centre"], tmp_path / "centres.tsv", None, files[2])
    samples = complete(found, pd.Index(NAMES), None)
    assert len(samples) == 11, "who misses the code is left out"
    design = numeric(found.loc[samples], None, None)
    assert [name.split("=")[0] for name in design.columns] == ["factor(centre)", "factor(centre)", "centre"]
    known = np.array([one for one in centres if one != "NA"])
    np.testing.assert_array_equal(design.iloc[:, 0], known == 11011)
    np.testing.assert_array_equal(design.iloc[:, 1], known == 11012)
    np.testing.assert_array_equal(design["centre"], known.astype(float))


def test_na_in_every_spelling_is_missing(tmp_path, files):
    table = pd.DataFrame({"iid": NAMES, "age": ["50", "N/A", "NULL", "None", "<NA>", "NA", ".", "", *"12345"][:12]})
    write_tsv(table, tmp_path / "spelled.tsv")
    found = read_covariates(["age"], tmp_path / "spelled.tsv", None, files[2])
    assert found["age"].notna().tolist() == [True] + [False] * 7 + [True] * 4
