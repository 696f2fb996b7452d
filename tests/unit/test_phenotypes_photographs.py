"""Technical covariates of images: means, shares, missing values and errors."""

import logging

import numpy as np
import pandas as pd
import pytest

from contigwas.phenotypes import write_external
from contigwas.phenotypes.image_covariates import image_covariates
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError

A, B, C, D, E, F = SAMPLES = [str(1000001 + number) for number in range(6)]
IMAGES = [
    # iid, eye, brightness, camera, site, kept
    (B, "left", 90.0, "zeiss", 7, True),
    (A, "left", 100.0, "topcon", 5, True),
    (A, "right", 120.0, "canon", 5, True),
    (A, "right", 255.0, "canon", 5, False),
    (C, "right", 50.0, None, 7, True),
    (C, "right", 60.0, "topcon", 5, True),
    (C, "left", 70.0, "topcon", 5, True),
    (D, "left", 10.0, "NA", 5, True),
    (E, "right", 40.0, "canon", 5, False),
]


@pytest.fixture
def images(tmp_path):
    """Images of five samples: all images of E were dropped, D's camera is unknown, F has none."""
    table = pd.DataFrame(IMAGES, columns=["iid", "eye", "brightness", "camera", "site", "kept"])
    table.insert(0, "row", np.arange(len(table)))
    table.assign(source="x.png", reason="", wave="one").to_parquet(tmp_path / "images.parquet")
    return tmp_path / "images.parquet"


def test_means_and_shares_by_hand(images):
    found = image_covariates(["brightness", "camera", "eye"], images, pd.Index([F, C, A, B, D, E]))
    assert found.columns.tolist() == ["brightness", "camera=topcon", "camera=zeiss", "eye=right"]
    assert found.index.tolist() == [F, C, A, B, D, E]
    expected = {
        F: [np.nan] * 4,
        C: [60.0, 1.0, 0.0, 2 / 3],
        A: [110.0, 0.5, 0.0, 0.5],
        B: [90.0, 0.0, 1.0, 0.0],
        D: [10.0, np.nan, np.nan, 0.0],
        E: [np.nan] * 4,
    }
    np.testing.assert_allclose(found, pd.DataFrame(expected).T)


def test_levels_are_those_of_complete_samples(images):
    """Canon, the first level, goes with A, the only one who has it: then topcon is the level left out."""
    table = pd.read_parquet(images)
    table.loc[table["iid"] == A, "brightness"] = np.nan
    table.to_parquet(images)
    assert image_covariates(["brightness", "camera"], images, pd.Index(SAMPLES)).columns.tolist() == [
        "brightness",
        "camera=zeiss",
    ]


def test_coded_categories_are_not_numeric(images):
    found = image_covariates(["site", "factor(site)"], images, pd.Index(SAMPLES))
    assert found.columns.tolist() == ["site", "factor(site)=7"]
    assert found.loc[C].tolist() == [pytest.approx(17 / 3), pytest.approx(1 / 3)]


def test_mistakes(images, tmp_path):
    samples = pd.Index(SAMPLES)
    with pytest.raises(UserError, match=r"names exposure, but .*only eye, brightness, camera, site, wave. Correct"):
        image_covariates(["brightness", "exposure"], images, samples)
    with pytest.raises(UserError, match="names reason, but"):
        image_covariates(["reason"], images, samples)
    with pytest.raises(UserError, match=r"no sample is in both the samples to test .*HG and 5 digits"):
        image_covariates(["eye"], images, pd.Index(["HG00001"]))
    many = pd.DataFrame({"iid": SAMPLES * 4, "kept": True, "lens": [f"l{number}" for number in range(24)]})
    many.to_parquet(tmp_path / "many.parquet")
    with pytest.raises(UserError, match=r"lens has 24 different values, but the maximum is 20"):
        image_covariates(["lens"], tmp_path / "many.parquet", samples)


def design(folder, images=None, covariates=("age",), **settings):
    """covariates.parquet of a user-supplied table of the six samples."""
    cohort = pd.DataFrame({"fid": SAMPLES, "iid": SAMPLES, "sex": 1, "family": SAMPLES, "fold": 0, "gwas_included": 1})
    write_tsv(cohort.assign(exclusion="", gwas_exclusion=""), folder / "cohort.tsv")
    write_tsv(pd.DataFrame({"IID": SAMPLES, "age": [50, 61, 55, 58, 47, 49]}), folder / "covariates.tsv")
    write_tsv(pd.DataFrame({"IID": SAMPLES, "height": np.arange(6.0)}), folder / "traits.tsv")
    settings = {"transform": "none", "covariates": list(covariates), **settings}
    outputs = folder / "phenotypes.parquet", folder / "design.parquet"
    files = folder / "traits.tsv", folder / "cohort.tsv", folder / "covariates.tsv", None
    write_external(*files, settings, *outputs, images)
    return pd.read_parquet(outputs[1])


def test_they_join_the_other_covariates(images, tmp_path, caplog):
    table = pd.read_parquet(images)
    more = table[table["iid"] == B].assign(iid=F, brightness=30.0)
    pd.concat([table, more]).to_parquet(images)
    with caplog.at_level(logging.WARNING):
        found = design(tmp_path, images, image_covariates=["brightness", "wave"])
    assert found["iid"].tolist() == [A, B, C, D, F]
    assert found.drop(columns="iid").to_numpy().T.tolist() == [[50, 61, 55, 58, 49], [110, 90, 60, 10, 30]]
    assert "1 of 6 samples with a missing covariate are left out (brightness 1, wave 1)" in caplog.text
    assert "constant covariates are left out: wave" in caplog.text
    assert not any(one in caplog.text for one in SAMPLES)


def test_without_them_the_images_are_not_read(tmp_path):
    assert design(tmp_path, tmp_path / "absent.parquet", image_covariates=[]).columns.tolist() == ["iid", "age"]


def test_conflicting_covariates(images, tmp_path):
    with pytest.raises(UserError, match="there is no images: block"):
        design(tmp_path, image_covariates=["eye"])
    table = pd.read_parquet(images).rename(columns={"brightness": "age"})
    table.to_parquet(images)
    with pytest.raises(UserError, match=r"gwas\.covariates and gwas\.image_covariates both name age"):
        design(tmp_path, images, image_covariates=["age"])
    assert not (tmp_path / "design.parquet").exists()
