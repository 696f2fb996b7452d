"""User-supplied tables of relatives and principal components, in the formats of KING, plink2 and UK Biobank."""

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.external import external_kinship, external_pcs
from contigwas.runtime.errors import UserError
from tests.plink_files import iids, write_samples

NAMES = iids(6)
A, B, C, D, E, F = NAMES


@pytest.fixture
def samples(tmp_path):
    write_samples(tmp_path, NAMES)
    table = pd.read_parquet(tmp_path / "samples.parquet")
    table.loc[5, "kept"] = False
    table.to_parquet(tmp_path / "samples.parquet")
    return tmp_path / "samples.parquet"


def kinship(samples, text, limit=0.0884):
    path = samples.with_name("rel.txt")
    path.write_text(text)
    external_kinship(path, samples, limit, samples.with_name("kinship.parquet"))
    return pd.read_parquet(samples.with_name("kinship.parquet")).to_numpy().tolist()


@pytest.mark.parametrize(
    "header",
    [
        "ID1 ID2 HetHet IBS0 Kinship",
        "FID1\tID1\tFID2\tID2\tN_SNP\tHetHet\tIBS0\tKinship",
        "#FID1\tIID1\tFID2\tIID2\tNSNP\tHETHET\tIBS0\tKINSHIP",
        "#IID1\tIID2\tNSNP\tHETHET\tIBS0\tKINSHIP",
    ],
)
def test_kinship_formats(samples, header, caplog):
    caplog.set_level("INFO")
    separator = "\t" if "\t" in header else " "
    columns = header.lstrip("#").split()
    rows = [(A, B, 0.25), (C, D, 0.1), (A, E, 0.05), (A, F, 0.3), (A, "7777777", 0.2), ("-1", B, 0.25)]
    lines = []
    for one, other, value in rows:
        known = dict(ID1=one, IID1=one, ID2=other, IID2=other, Kinship=value, KINSHIP=value)
        lines.append(separator.join(str(known.get(column, 0.1)) for column in columns))
    assert kinship(samples, "\n".join([header, *lines]) + "\n") == [[A, B, 0.25], [C, D, 0.1]]
    assert "6 pairs in rel.txt: 3 between samples that passed QC, 2 of these with a kinship above 0.0884" in caplog.text


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("ID1 ID2 HetHet\n1 2 0\n", "no column KINSHIP. Its header has id1, id2, hethet"),
        (
            f"ID1 ID2 Kinship\n{A} {B} 0.2\n{A} {C} 0.9\n",
            "line 3: Kinship is not a kinship .*1 such values.*proportions",
        ),
        (f"ID1 ID2 Kinship\n{A} {B} x\n", "line 2: Kinship is not"),
        ("ID1 ID2 Kinship\nHG1 HG2 0.2\n", "no sample is in both the relatives .*HG and 1 digit"),
        ("", "not a table with a header"),
    ],
)
def test_refused_relatives(samples, text, reported):
    with pytest.raises(UserError, match=reported):
        kinship(samples, text)
    assert not samples.with_name("kinship.parquet").exists()


def components(samples, table, name, pcs=2, **form):
    path = samples.with_name(name)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t", index=False, **form)
    external_pcs(path, samples, pcs, samples.with_name("pcs.parquet"))
    return pd.read_parquet(samples.with_name("pcs.parquet"))


@pytest.mark.parametrize("name", ["x.eigenvec", "x.tsv", "x.parquet"])
def test_components(samples, name, caplog):
    caplog.set_level("INFO")
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(5, 3)).round(4), columns=["PC1", "PC2", "PC3"])
    key = "#IID" if name == "x.eigenvec" else "IID"
    table.insert(0, key, [D, "9999999", A, F, B])
    found = components(samples, table, name)
    assert found.columns.tolist() == ["iid", "PC1", "PC2"]
    assert found["iid"].tolist() == [A, B, C, D, E]
    np.testing.assert_allclose(found.loc[[0, 1, 3], ["PC1", "PC2"]], table.iloc[[2, 4, 0], 1:3])
    assert found.loc[[2, 4], ["PC1", "PC2"]].isna().all(axis=None)
    assert "2 principal components for 3 of the 5 samples that passed QC" in caplog.text


def test_refused_components(samples):
    table = pd.DataFrame({"IID": [A, B], "PC1": [1.0, 2.0], "PC2": ["1", "x"]})
    with pytest.raises(UserError, match="has no column PC3"):
        components(samples, table.assign(PC2=1.0), "x.tsv", pcs=3)
    with pytest.raises(UserError, match="line 3: PC2 is not a number .1 such values"):
        components(samples, table, "x.tsv")
    with pytest.raises(UserError, match="appear more than once"):
        components(samples, table.assign(IID=A), "x.tsv", pcs=1)
    with pytest.raises(UserError, match="no sample is in both the principal components"):
        components(samples, table.assign(IID=["X1", "X2"]), "x.tsv", pcs=1)
    assert not samples.with_name("pcs.parquet").exists()
