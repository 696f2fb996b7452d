"""Who is kept, why the others are not, and who is tested."""

import pandas as pd
import pytest

from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples import assign_folds
from contigwas.samples.cohort import read_cohort
from contigwas.samples.selection import write_cohort
from tests.plink_files import iids

SETTINGS = {"folds": 3, "max_kinship": 0.0884}


@pytest.fixture
def study(tmp_path):
    """Twelve samples: 10 not in the genotypes, 9 not in keep, 8 has too few calls; 0-1-2 are a family, 3-8 and 4-5."""
    names = iids(12)
    candidates = pd.DataFrame({"fid": names, "iid": names, "sex": 1, "genotypes": 1, "keep": 1})
    candidates.loc[10, "genotypes"] = 0
    candidates.loc[[9, 10], "keep"] = 0
    write_tsv(candidates, tmp_path / "candidates.tsv")
    samples = pd.DataFrame({"iid": names[::-1], "kept": True, "reason": ""})
    samples = samples[~samples["iid"].isin(names[9:11])]
    samples.loc[samples["iid"] == names[8], ["kept", "reason"]] = [False, "call rate"]
    samples.to_parquet(tmp_path / "samples.parquet")
    pairs = [(0, 1, 0.25), (1, 2, 0.25), (3, 8, 0.25), (4, 5, 0.1), (6, 7, 0.05)]
    kinship = pd.DataFrame([(names[a], names[b], k) for a, b, k in pairs], columns=["iid1", "iid2", "kinship"])
    kinship.to_parquet(tmp_path / "kinship.parquet")
    return tmp_path


def run(folder, kinship="kinship.parquet", **settings):
    kinship = folder / kinship if kinship else None
    write_cohort(
        folder / "candidates.tsv", folder / "samples.parquet", kinship, {**SETTINGS, **settings}, 42, folder / "out.tsv"
    )
    return read_cohort(folder / "out.tsv")


def test_reasons_families_and_the_tested(study):
    cohort = run(study)
    assert cohort.columns.tolist() == [
        "fid",
        "iid",
        "sex",
        "family",
        "fold",
        "gwas_included",
        "exclusion",
        "gwas_exclusion",
    ]
    assert cohort["iid"].tolist() == iids(12)
    assert cohort["exclusion"].tolist() == [""] * 8 + ["call rate", "not in keep", "no genotypes", ""]
    assert cohort["gwas_exclusion"].tolist()[:4] == ["", "related", "", ""]
    assert sorted(cohort["gwas_exclusion"].tolist()[4:6]) == ["", "related"]
    assert (cohort["gwas_included"] == ((cohort["exclusion"] == "") & (cohort["gwas_exclusion"] == ""))).all()
    family = cohort["family"].tolist()
    assert family[0] == family[1] == family[2]
    assert family[4] == family[5]
    assert len(set(family)) == 9
    assert cohort["fold"].tolist() == assign_folds(family, 3, 42).tolist()


def test_without_relatives_everybody_is_tested(study):
    cohort = run(study, kinship=None)
    assert cohort["gwas_included"].sum() == 9
    assert cohort["family"].nunique() == 12
    assert cohort["gwas_exclusion"].tolist() == [""] * 12


def test_the_limit_of_kinship(study):
    assert run(study, max_kinship=0.2)["gwas_included"].sum() == 8
    assert run(study, max_kinship=0.01)["gwas_included"].sum() == 6


def test_withdrawing_an_unrelated_sample_moves_nobody(study):
    before = run(study).set_index("iid")
    candidates = pd.read_csv(study / "candidates.tsv", sep="\t", dtype=str)
    write_tsv(candidates.drop(index=6), study / "candidates.tsv")
    after = run(study).set_index("iid")
    pd.testing.assert_frame_equal(after, before.drop(index=iids(12)[6]))


def test_nobody_left(study):
    candidates = pd.read_csv(study / "candidates.tsv", sep="\t", dtype=str)
    write_tsv(candidates.assign(keep=0), study / "candidates.tsv")
    with pytest.raises(UserError, match=r"nobody is left of the 12 samples .*11 not in keep, 1 no genotypes"):
        run(study)


def test_quality_control_of_other_samples(study):
    samples = pd.read_parquet(study / "samples.parquet")
    samples.iloc[:4].to_parquet(study / "samples.parquet")
    with pytest.raises(UserError, match=r"lacks 6 samples of the genotypes \(IDs of 7 digits\)"):
        run(study)
