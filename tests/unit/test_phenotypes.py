"""Phenotypes from embeddings and from user-supplied tables: samples and values."""

import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from contigwas.phenotypes import write_external, write_phenotypes
from contigwas.phenotypes.transform import inverse_normal
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError

SAMPLES = 120
NAMES = [str(1000001 + k) for k in range(SAMPLES)]
SETTINGS = {"components": 3, "transform": "inverse-normal", "covariates": ["sex", "age"]}


@pytest.fixture
def study(tmp_path):
    """Embeddings of fold 0 and aligned ones of 120 samples in three folds; cohort, covariates and PCs."""
    rng = np.random.default_rng(9)
    values = rng.normal(size=(SAMPLES, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6) * 4
    fold = np.arange(SAMPLES) % 3
    role = np.where(fold == 0, "heldout", np.where(np.arange(SAMPLES) % 7 == 0, "validation", "train"))
    names = pd.DataFrame(index=[f"F{k}" for k in range(1, 7)])
    first = ad.AnnData(values.astype(np.float32), obs=pd.DataFrame({"role": role}, index=NAMES), var=names)
    first.write_h5ad(tmp_path / "fold0.h5ad")
    train = values[role == "train"].astype(np.float32).astype(float)
    mean, sd = train.mean(0), train.std(0)
    standard = (values - mean) / sd
    order = rng.permutation(SAMPLES)
    obs = pd.DataFrame({"fold": fold, "role": "heldout", "gwas_eligible": True}, index=NAMES)
    aligned = ad.AnnData(standard.astype(np.float32), obs=obs, var=names, uns={"mean0": mean, "sd0": sd})[order].copy()
    aligned.write_h5ad(tmp_path / "aligned.h5ad")
    cohort = pd.DataFrame(
        {"fid": NAMES, "iid": NAMES, "sex": 1 + np.arange(SAMPLES) % 2, "family": NAMES, "fold": fold}
    )
    cohort = cohort.assign(gwas_included=1, exclusion="")
    cohort.loc[[3, 4], "gwas_included"] = 0
    write_tsv(cohort, tmp_path / "cohort.tsv")
    table = pd.DataFrame({"IID": NAMES, "age": rng.normal(60, 6, SAMPLES).round(2), "site": "one"})
    table.loc[[5, 6, 7], "age"] = np.nan
    write_tsv(table.iloc[::-1], tmp_path / "covariates.tsv")
    pd.DataFrame({"iid": NAMES, "PC1": rng.normal(size=SAMPLES)}).to_parquet(tmp_path / "pcs.parquet")
    return tmp_path, standard.astype(np.float32).astype(float), role, fold, cohort, table


def embedded(folder, reference="fold0.h5ad", **settings):
    outputs = [folder / "out" / name for name in ("phenotypes.parquet", "covariates.parquet", "pca.h5ad")]
    write_phenotypes(
        folder / "aligned.h5ad",
        folder / reference if reference else None,
        folder / "cohort.tsv",
        folder / "covariates.tsv",
        folder / "pcs.parquet",
        {**SETTINGS, **settings},
        *outputs,
    )
    return [pd.read_parquet(path).set_index("iid") for path in outputs[:2]]


def external(folder, table, name="traits.tsv", **settings):
    path = folder / name
    if isinstance(table, pd.DataFrame):
        table.to_parquet(path) if path.suffix == ".parquet" else write_tsv(table, path)
    outputs = [folder / "out" / one for one in ("phenotypes.parquet", "covariates.parquet")]
    settings = {"transform": "none", "covariates": ["sex", "age"], **settings}
    write_external(path, folder / "cohort.tsv", folder / "covariates.tsv", folder / "pcs.parquet", settings, *outputs)
    return [pd.read_parquet(one).set_index("iid") for one in outputs]


def test_components_of_the_training_samples_for_the_tested(study, caplog):
    folder, standard, role, fold, _, table = study
    with caplog.at_level(logging.INFO):
        phenotypes, covariates = embedded(folder)
    tested = np.setdiff1d(np.arange(SAMPLES), [3, 4, 5, 6, 7])
    assert sorted(phenotypes.index) == [NAMES[k] for k in tested]
    assert phenotypes.index.tolist() == covariates.index.tolist()
    assert phenotypes.columns.tolist() == ["E1", "E2", "E3"]
    assert covariates.columns.tolist() == ["sex", "age", "fold1", "fold2"]
    np.testing.assert_array_equal(covariates.loc[NAMES[8], ["sex", "age"]], [1, table["age"][8]])
    assert covariates.loc[NAMES[8], "fold2"] == 1
    scores = PCA(3).fit(standard[role == "train"]).transform(standard[tested])
    x = np.column_stack([np.ones(len(tested)), tested % 2, table["age"][tested], fold[tested] == 1, fold[tested] == 2])
    left = scores - x @ np.linalg.lstsq(x, scores, rcond=None)[0]
    ours = phenotypes.loc[[NAMES[k] for k in tested]].to_numpy()
    sign = np.sign((ours * left).sum(0))
    np.testing.assert_allclose(ours, inverse_normal(left * sign), atol=2e-3)
    assert "118 of 120 samples with features are included in the GWAS" in caplog.text
    assert "3 of 118 samples with a missing covariate are left out (age 3)" in caplog.text
    assert not any(name in caplog.text for name in NAMES)
    data = ad.read_h5ad(folder / "out" / "pca.h5ad")
    assert data.shape == (3, 6)
    np.testing.assert_allclose(data.uns["sd"], ad.read_h5ad(folder / "aligned.h5ad").uns["sd0"])


def test_the_held_out_share_of_one_network(study):
    folder, _, role, *_ = study
    aligned = ad.read_h5ad(folder / "aligned.h5ad")
    aligned.obs["fold"] = 0
    aligned.obs["gwas_eligible"] = pd.Series(role, index=NAMES).loc[aligned.obs_names].to_numpy() == "heldout"
    aligned.write_h5ad(folder / "aligned.h5ad")
    phenotypes, covariates = embedded(folder)
    assert set(phenotypes.index) == {NAMES[k] for k in np.flatnonzero(role == "heldout")} - {NAMES[3], NAMES[6]}
    assert covariates.columns.tolist() == ["sex", "age"]


def test_raw_features(study):
    folder, standard, *_ = study
    phenotypes, _ = embedded(folder, components=0, transform="none")
    assert phenotypes.columns.tolist() == [f"F{k}" for k in range(1, 7)]
    rows = [NAMES.index(name) for name in phenotypes.index]
    np.testing.assert_allclose(phenotypes, standard[rows])
    assert ad.read_h5ad(folder / "out" / "pca.h5ad").shape == (0, 6)


def test_external_embeddings_are_their_own_reference(study):
    folder, standard, *_ = study
    phenotypes, _ = embedded(folder, reference=None, transform="none")
    scores = PCA(3).fit_transform(standard)[[NAMES.index(name) for name in phenotypes.index]]
    np.testing.assert_allclose(np.abs(phenotypes), np.abs(scores), atol=1e-5)


def test_a_constant_covariate_is_named(study, caplog):
    folder, *_ = study
    with caplog.at_level(logging.WARNING):
        _, covariates = embedded(folder, covariates=["age", "site", "PC1"])
    assert covariates.columns.tolist() == ["age", "PC1", "fold1", "fold2"]
    assert "constant covariates are left out: site" in caplog.text


def test_invalid_embeddings(study):
    folder, *_ = study
    with pytest.raises(UserError, match="names weight, but"):
        embedded(folder, covariates=["weight"])
    with pytest.raises(UserError, match="components is 7, but there are 6 features"):
        embedded(folder, components=7)
    other = ad.read_h5ad(folder / "fold0.h5ad")
    other.var_names = [f"G{k}" for k in range(6)]
    other.write_h5ad(folder / "other.h5ad")
    with pytest.raises(UserError, match="have different features"):
        embedded(folder, reference="other.h5ad")
    aligned = ad.read_h5ad(folder / "aligned.h5ad")
    aligned.obs_names = [f"HG{k:05d}" for k in range(SAMPLES)]
    aligned.write_h5ad(folder / "aligned.h5ad")
    with pytest.raises(UserError, match="no sample is in both the embeddings"):
        embedded(folder)
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())


@pytest.mark.parametrize("name", ["traits.tsv", "traits.parquet"])
def test_external_table(study, caplog, name):
    folder, *_ = study
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"FID": NAMES, "IID": NAMES, "height": rng.normal(170, 9, SAMPLES), "cup": rng.normal(size=SAMPLES)}
    )
    table.loc[10:19, "cup"] = np.nan
    table.loc[20:24, ["cup", "height"]] = np.nan
    with caplog.at_level(logging.INFO):
        phenotypes, covariates = external(folder, table.sample(frac=1, random_state=1), name)
    assert phenotypes.columns.tolist() == ["height", "cup"]
    assert len(phenotypes) == SAMPLES - 2 - 3 - 5
    assert covariates.columns.tolist() == ["sex", "age"]
    expected = table.set_index("IID").loc[phenotypes.index, ["height", "cup"]]
    np.testing.assert_allclose(phenotypes, expected)
    assert "5 samples of" in caplog.text
    assert "feature cup is missing for 10 of 110 samples" in caplog.text
    phenotypes, _ = external(folder, table, name, transform="inverse-normal")
    assert phenotypes["cup"].count() == 100
    assert phenotypes["height"].std() == pytest.approx(1, abs=0.03)


def test_invalid_external_tables(study):
    folder, *_ = study
    good = pd.DataFrame({"FID": NAMES, "IID": NAMES, "height": np.arange(SAMPLES) * 1.5})
    for bad, sentence in (
        (good[["FID", "IID"]], "no column other than FID and IID"),
        (good.assign(height="tall"), "column height holds text"),
        (good.assign(manova=good["height"]), "column manova has the name of a test"),
        (good.assign(height=np.nan), "every value is missing"),
        (pd.concat([good, good.head(1)]), "1 individual IDs appear more than once"),
        (good.assign(IID=[f"HG{k:05d}" for k in range(SAMPLES)]), r"no sample is in both.*HG and 5 digits"),
        (good.iloc[3:5], "none of the 2 samples with features has gwas_included = 1"),
        (good.iloc[8:12], "4 samples are too few for 2 covariates"),
        (good.drop(columns="IID"), "no column iid"),
    ):
        with pytest.raises(UserError, match=sentence):
            external(folder, bad)
    (folder / "traits.parquet").write_text("FID IID x")
    with pytest.raises(UserError, match="not a Parquet file"):
        external(folder, None, "traits.parquet")
    assert not (folder / "out").exists()
