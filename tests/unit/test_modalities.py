"""User-supplied modalities of every file format: samples of the cohort, raw values."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from contigwas.modalities.external import write_external
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from tests.modalities import write_cohort
from tests.plink_files import iids

NAMES = iids(8)
STRANGER = "9999999"


@pytest.fixture
def study(tmp_path):
    """A cohort of eight, one excluded; a table of seven of them and a stranger, in another order."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(8, 3)).round(3), columns=["glucose", "LDL", "5-HT"])
    table.iloc[2, 1] = np.nan
    table.insert(0, "IID", [*NAMES[6::-1], STRANGER])
    return write_cohort(tmp_path, NAMES, NAMES[3:4]), table


def external(cohort, path):
    write_external("blood", path, cohort, path.with_name("out.h5ad"))
    return read_modality(path.with_name("out.h5ad"))


@pytest.mark.parametrize("name", ["x.tsv", "x.parquet", "x.h5ad", "sparse.h5ad"])
def test_kinds_of_files(study, tmp_path, name, caplog):
    caplog.set_level("INFO")
    cohort, table = study
    path = tmp_path / name
    if path.suffix == ".h5ad":
        values = table.iloc[:, 1:].to_numpy()
        values = sparse.csr_matrix(values) if name == "sparse.h5ad" else values
        obs, var = pd.DataFrame(index=table["IID"]), pd.DataFrame(index=table.columns[1:])
        ad.AnnData(values, obs=obs, var=var).write_h5ad(path)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.assign(FID=1).to_csv(path, sep="\t", index=False, na_rep="NA")
    data = external(cohort, path)
    assert data.obs_names.tolist() == [one for one in NAMES[6::-1] if one != NAMES[3]]
    assert data.var_names.tolist() == ["glucose", "LDL", "5-HT"]
    assert data.X.dtype == np.float32
    assert sparse.issparse(data.X) == (name == "sparse.h5ad")
    values = data.X.toarray() if sparse.issparse(data.X) else data.X
    known = table.set_index("IID").loc[data.obs_names].to_numpy()
    np.testing.assert_allclose(values, known, rtol=1e-6)
    assert "8 samples, 6 of them in the cohort of 7; 3 features" in caplog.text


def test_genotypes_stay_genotypes(study, tmp_path):
    cohort, table = study
    values = np.random.default_rng(2).integers(0, 3, (8, 4)).astype(np.int8)
    values[0, 0] = -127
    ad.AnnData(values, obs=pd.DataFrame(index=table["IID"])).write_h5ad(tmp_path / "x.h5ad")
    assert external(cohort, tmp_path / "x.h5ad").X.dtype == np.int8
    values[1, 1] = 3
    ad.AnnData(values, obs=pd.DataFrame(index=table["IID"])).write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(UserError, match="has the int8 value 3, but genotypes are 0, 1, 2, or -127"):
        external(cohort, tmp_path / "x.h5ad")


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"LDL": "high"}, "1 columns hold text .the first is LDL, line 2"),
        ({"IID": NAMES[0]}, "1 individual IDs appear more than once"),
        ({"IID": [f"X{number}" for number in range(8)]}, "no sample is in both the cohort .*modalities.blood"),
    ],
)
def test_refusals(study, tmp_path, change, reported):
    cohort, table = study
    table.assign(**change).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match=reported):
        external(cohort, tmp_path / "x.tsv")
    table[["IID"]].to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match="no feature besides IID"):
        external(cohort, tmp_path / "x.tsv")
    assert not (tmp_path / "out.h5ad").exists()
