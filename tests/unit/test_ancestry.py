"""Who is of the ancestry that is studied."""

import numpy as np
import pandas as pd
import pytest

from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.ancestry import outsiders
from contigwas.samples.cohort import read_cohort
from contigwas.samples.selection import write_cohort
from tests.plink_files import iids, write_samples

NAMES = iids(300)
DISTANCE = {"reference": None, "pcs": 2, "max_sd": 6.0}


@pytest.fixture
def pcs(tmp_path):
    """Two components of 300 samples, 60 of them far away, correlated; the last has none."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.6], [0.0, 0.4]])
    values[240:] += (12, -9)
    table = pd.DataFrame(values, columns=["PC1", "PC2"]).assign(iid=NAMES).sample(frac=1, random_state=1)
    table[table["iid"] != NAMES[299]].to_parquet(tmp_path / "pcs.parquet")
    return tmp_path / "pcs.parquet"


def test_far_from_the_robust_centre(pcs):
    assert outsiders(NAMES, DISTANCE, pcs, 1).tolist() == [False] * 240 + [True] * 60


def test_far_from_a_reference(pcs, tmp_path):
    write_tsv(pd.DataFrame({"iid": NAMES[250:299]}), tmp_path / "reference.tsv")
    settings = {**DISTANCE, "reference": str(tmp_path / "reference.tsv")}
    found = outsiders(NAMES, settings, pcs, 1)
    assert found.tolist() == [True] * 240 + [False] * 59 + [True]
    # the distance is Mahalanobis's: by the reference's own mean and covariance
    table = pd.read_parquet(pcs).set_index("iid")[["PC1", "PC2"]]
    near = table.loc[NAMES[250:299]]
    apart = table.reindex(NAMES).to_numpy() - near.mean().to_numpy()
    distance = np.sqrt((apart @ np.linalg.inv(near.cov().to_numpy()) * apart).sum(axis=1))
    limit = np.nanquantile(distance[240:], 0.9)
    expected = ~(distance <= limit)
    assert (outsiders(NAMES, {**settings, "max_sd": limit}, pcs, 1) == expected).all()


@pytest.mark.parametrize("keep", [["EUR"], [1], ["1"]])
def test_a_given_column(tmp_path, keep):
    values = ["EUR", "AFR", ""] if keep == ["EUR"] else [1, 2, ""]
    table = pd.DataFrame({"iid": NAMES[:299], "group": [values[number % 3] for number in range(299)]})
    write_tsv(table, tmp_path / "groups.tsv")
    settings = {"table": str(tmp_path / "groups.tsv"), "column": "group", "keep": keep}
    assert outsiders(NAMES, settings, None, 1).tolist() == [number % 3 != 0 for number in range(300)]
    with pytest.raises(UserError, match="nobody has group ZZ in .* it has"):
        outsiders(NAMES, {**settings, "keep": ["ZZ"]}, None, 1)
    with pytest.raises(UserError, match="has no column race"):
        outsiders(NAMES, {**settings, "column": "race"}, None, 1)


def test_refusals(pcs, tmp_path):
    with pytest.raises(UserError, match="asks for 4 components, more than genotypes.pcs"):
        outsiders(NAMES, {**DISTANCE, "pcs": 4}, pcs, 1)
    write_tsv(pd.DataFrame({"iid": NAMES[:5]}), tmp_path / "reference.tsv")
    with pytest.raises(UserError, match="only 5 samples with components .* name at least 20"):
        outsiders(NAMES, {**DISTANCE, "reference": str(tmp_path / "reference.tsv")}, pcs, 1)
    write_tsv(pd.DataFrame({"iid": ["HG1"]}), tmp_path / "reference.tsv")
    with pytest.raises(UserError, match="no sample is in both the samples"):
        outsiders(NAMES, {**DISTANCE, "reference": str(tmp_path / "reference.tsv")}, pcs, 1)


def test_the_cohort_leaves_them_out_and_moves_nobody(pcs, tmp_path):
    candidates, samples = write_samples(tmp_path, NAMES)
    settings = {"folds": 3, "max_kinship": 0.0884}
    write_cohort(candidates, samples, None, settings, 1, tmp_path / "all.tsv")
    write_cohort(candidates, samples, None, settings, 1, tmp_path / "some.tsv", DISTANCE, pcs)
    everyone, some = read_cohort(tmp_path / "all.tsv"), read_cohort(tmp_path / "some.tsv")
    assert some["exclusion"].tolist() == [""] * 240 + ["ancestry"] * 60
    assert (some["fold"] == everyone["fold"]).all()
    assert (some["gwas_included"] == (some["exclusion"] == "")).all()
