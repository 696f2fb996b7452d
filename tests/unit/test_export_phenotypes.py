"""Phenotypes as a table for plink and regenie."""

import numpy as np
import pandas as pd
import pytest

from contigwas.export.phenotypes import write_phenotypes
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError

SAMPLES = [f"10000{number}" for number in range(10, 30)]


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(20, 3)), columns=["PC1", "eye colour", "PC2"])
    table.loc[4, "PC2"] = np.nan
    table.insert(0, "iid", SAMPLES)
    table.sample(frac=1, random_state=1).head(15).to_parquet(tmp_path / "p.parquet", index=False)
    cohort = pd.DataFrame({"fid": [f"F{one}" for one in SAMPLES], "iid": SAMPLES, "sex": 1})
    write_tsv(cohort, tmp_path / "cohort.tsv")
    return tmp_path


def write(study, wanted=None):
    path = study / "private" / "m.phenotypes.tsv"
    write_phenotypes(study / "p.parquet", study / "cohort.tsv", wanted, path)
    return path


def test_families_come_first_and_the_numbers_are_the_same(study):
    path = write(study)
    text = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    assert list(text.columns) == ["FID", "IID", "PC1", "eye_colour", "PC2"]
    source = pd.read_parquet(study / "p.parquet")
    assert text["IID"].tolist() == source["iid"].tolist()
    assert text["FID"].tolist() == [f"F{one}" for one in source["iid"]]
    for ours, theirs in (("PC1", "PC1"), ("eye_colour", "eye colour"), ("PC2", "PC2")):
        values = text[ours].replace("NA", "nan").astype(float).to_numpy()
        assert np.array_equal(values, source[theirs].to_numpy(), equal_nan=True)
    assert (text["PC2"] == "NA").sum() == source["PC2"].isna().sum() == 1
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_selected_features_only(study):
    assert write(study, ["PC2", "manova"]).read_text().splitlines()[0] == "FID\tIID\tPC2"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (["PC3"], "names PC3, but .*p.parquet has no such feature. Did you mean"),
        (["manova"], "only tests over features"),
    ],
)
def test_unknown_feature(study, wanted, sentence):
    with pytest.raises(UserError, match=sentence):
        write(study, wanted)
    assert not (study / "private" / "m.phenotypes.tsv").exists()


def test_names_that_differ_in_white_space(study):
    table = pd.read_parquet(study / "p.parquet")
    table.rename(columns={"PC1": "eye_colour"}).to_parquet(study / "p.parquet")
    with pytest.raises(UserError, match="differ only in white space"):
        write(study)


def test_samples_outside_the_cohort_are_counted_and_not_named(study):
    cohort = pd.read_csv(study / "cohort.tsv", sep="\t", dtype=str)
    write_tsv(cohort.head(5), study / "cohort.tsv")
    with pytest.raises(UserError, match=r"^\d+ samples of .* are not in") as error:
        write(study)
    assert not [one for one in SAMPLES if one in str(error.value).replace(str(study), "")]
