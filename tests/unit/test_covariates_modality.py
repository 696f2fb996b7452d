"""Covariates as a modality: raw columns of the cohort's samples, every level of a text, NaN where unknown."""

import json

import numpy as np
import pandas as pd
import pytest

from contigwas.covariates.table import write_covariates
from contigwas.pretrain.data import load_genetics
from contigwas.pretrain.networks import genetics_encoders
from contigwas.pretrain.normalise import fit
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from tests.modalities import write_cohort
from tests.plink_files import iids
from tests.unit.pretraining import RECIPE

NAMES = iids(10)
AGES = [40, 41, "NA", 43, 44, 45, 46, 47, 48, 49]
CENTRES = [11010, 11011, 11012, 11010, "NA", 11011, 11012, 11010, 11011, 11012]
SMOKING = ["never", "current", "", "former", "never", "N/A", "never", "current", "never", "former"]


@pytest.fixture
def study(tmp_path):
    """Ten samples, the seventh excluded; a table without the last sample, with a stranger, in another order."""
    table = pd.DataFrame({"iid": NAMES, "age": AGES, "centre": CENTRES, "smoking": SMOKING}).iloc[:-1]
    table = pd.concat([table.iloc[::-1], pd.DataFrame({"iid": ["9999999"], "age": [99], "smoking": ["pipe"]})])
    write_tsv(table, tmp_path / "covariates.tsv")
    pd.DataFrame({"iid": NAMES, "PC1": np.arange(10) / 10}).to_parquet(tmp_path / "pcs.parquet")
    return write_cohort(tmp_path, NAMES, NAMES[6:7]), tmp_path


def written(cohort, folder, names, pcs=None):
    write_covariates(names, folder / "covariates.tsv", pcs, cohort, folder / "covariates.h5ad")
    return read_modality(folder / "covariates.h5ad")


def test_every_kind_of_covariate(study, caplog):
    cohort, folder = study
    caplog.set_level("INFO")
    data = written(cohort, folder, ["age", "smoking", "factor(centre)", "PC1"], folder / "pcs.parquet")
    here = [number for number in range(10) if number != 6]
    assert data.obs_names.tolist() == [NAMES[number] for number in here]
    assert data.X.dtype == np.float32
    # by hand: the last sample is not in the table
    age = [np.nan if number in (2, 9) else float(AGES[number]) for number in here]
    columns = {"age": age}
    for level in ("current", "former", "never"):
        columns[f"smoking={level}"] = [
            np.nan if number in (2, 5, 9) else float(SMOKING[number] == level) for number in here
        ]
    for level in (11010, 11011, 11012):
        columns[f"factor(centre)={level}"] = [
            np.nan if number in (4, 9) else float(CENTRES[number] == level) for number in here
        ]
    columns["PC1"] = [number / 10 for number in here]
    assert data.var_names.tolist() == list(columns), "the stranger's pipe is no level"
    np.testing.assert_allclose(data.X, np.array(list(columns.values())).T, rtol=1e-6)
    assert data.var["covariate"].tolist() == ["age", *["smoking"] * 3, *["factor(centre)"] * 3, "PC1"]
    assert data.var["known"].tolist() == [7, 6, 6, 6, 7, 7, 7, 9]
    assert json.loads(data.uns["provenance"])["n_samples"] == 9
    reported = "8 columns of 4 covariates for 9 samples, 0 of them without any value; missing values: age 2, smoking 3"
    assert reported in caplog.text
    assert not any(name in caplog.text for name in NAMES)


def test_complete_codes_have_the_same_names(study):
    cohort, folder = study
    table = pd.read_csv(folder / "covariates.tsv", sep="\t", dtype=str)
    write_tsv(table[table["centre"].notna()], folder / "covariates.tsv")
    data = written(cohort, folder, ["factor(centre)"])
    assert data.var_names.tolist() == [f"factor(centre)={code}" for code in (11010, 11011, 11012)]


def test_sex_comes_from_the_cohort_where_no_table_has_it(study):
    cohort, folder = study
    samples = pd.read_csv(cohort, sep="\t", dtype=str, keep_default_na=False)
    write_tsv(samples.assign(sex=[number % 3 for number in range(10)]), cohort)
    write_covariates(["sex"], None, None, cohort, folder / "sex.h5ad")
    sex = [np.nan, 1, 2, np.nan, 1, 2, 1, 2, np.nan]  # that of the seventh is left out
    np.testing.assert_array_equal(read_modality(folder / "sex.h5ad").X[:, 0], sex)


def test_an_infinite_value_is_unknown_and_a_blank_column_stays(study):
    cohort, folder = study
    write_tsv(pd.DataFrame({"iid": NAMES, "a": [*range(9), "1e999"], "b": "NA"}), folder / "covariates.tsv")
    data = written(cohort, folder, ["a", "b"])
    assert np.isnan(data.X).tolist() == [[False, True]] * 8 + [[True, True]]
    assert data.var["known"].tolist() == [8, 0]


def test_training_with_covariates_and_noise(study):
    """Who has none of them has no such modality; what is missing of the others is the training mean: 0 when scaled."""
    cohort, folder = study
    written(cohort, folder, ["age", "smoking"])
    genetics = load_genetics(folder / "covariates.h5ad", pd.Index(NAMES))
    assert genetics.present.tolist() == [number not in (2, 6, 9) for number in range(10)]
    normaliser = fit("covariates", genetics.values)
    scaled = normaliser(genetics.values)
    assert scaled.shape == (7, 4)
    smoker = genetics.row[5]
    assert scaled[smoker, 1:].tolist() == [0.0, 0.0, 0.0]
    ages = np.array([40, 41, 43, 44, 45, 47, 48])
    np.testing.assert_allclose(scaled[:, 0], (ages - ages.mean()) / ages.std(), rtol=1e-5)
    encoder = genetics_encoders({"covariates": normaliser}, RECIPE | {"noise": 3})["covariates"]
    assert encoder.layers[0].in_features == 7
    assert encoder(genetics.values).shape == (7, RECIPE["embedding"])


def test_refusals(study):
    cohort, folder = study
    with pytest.raises(
        UserError, match=r"covariates\.columns names height, but .* have only age, centre, smoking, sex"
    ):
        written(cohort, folder, ["height"])
    write_tsv(pd.DataFrame({"iid": NAMES, "code": [f"x{one}" for one in NAMES], "b": "NA"}), folder / "covariates.tsv")
    with pytest.raises(UserError, match=r"\(covariates\.columns\): none of the 9 samples of the cohort has a value"):
        written(cohort, folder, ["b"])
    names = iids(30)
    write_tsv(pd.DataFrame({"iid": names, "code": [f"x{number}" for number in range(30)]}), folder / "covariates.tsv")
    cohort = write_cohort(folder, names)
    with pytest.raises(UserError, match=r"code is text with 30 .*factor\(name\) in covariates\.columns for categories"):
        written(cohort, folder, ["code"])
    assert not (folder / "covariates.h5ad").exists()
    assert written(cohort, folder, ["factor(code)"]).shape == (30, 30)
