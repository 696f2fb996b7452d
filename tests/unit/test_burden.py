"""Inputs of the burden: what is read, what is refused, and what is reported of the variants that do not qualify."""

import json

import numpy as np
import pytest

from contigwas.burden import write_burden
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids, write_plink

NAMES = iids(20)
SETTINGS = burden_settings(masks={"lof": ["LoF"], "damaging": ["LoF", "missense"]}, max_aaf=0.1)
ANNOTATIONS = "a G1 LoF\nb G1 missense\nc G1 synonymous\nd G1 LoF\ne G1 LoF\ng G2 missense\nh G1 LoF\ni G1 LoF\n"
SETS = "G1 1 1000 a,b,c,d,e,f,g,h,i,zz\nG2 1 7000 g,f\nG3 2 10 a\n"


@pytest.fixture
def study(tmp_path):
    """G1: a and b rare, c synonymous, d common, e never called, f not annotated, h no carrier, i twice in the .bim."""
    dosages = np.zeros((20, 10), dtype=np.int8)
    dosages[2, 0] = 1
    dosages[3, 0] = -127
    dosages[[2, 5], 1] = [2, 1]
    dosages[7, 2] = 1
    dosages[:8, 3] = 1
    dosages[:, 4] = -127
    dosages[8, 5] = 1
    dosages[9, 6] = 1
    dosages[10, 8:] = 1
    ids = [*"abcdefghii"]
    write_plink(tmp_path / "chr1.bed", dosages, NAMES, "1", sid=ids)
    (tmp_path / "annotations.tsv").write_text(ANNOTATIONS)
    (tmp_path / "sets.tsv").write_text(SETS)
    return tmp_path


def run(folder, chromosomes=("1",), names=NAMES, excluded=(), **changed):
    cohort = write_cohort(folder, names, excluded)
    write_burden(
        folder / "chr{chrom}.bed", chromosomes, folder / "annotations.tsv", folder / "sets.tsv", cohort,
        {**SETTINGS, **changed}, folder / "burden.h5ad",
    )  # fmt: skip
    return read_modality(folder / "burden.h5ad")


def test_values_counts_and_reasons(study):
    data = run(study)
    assert data.var_names.tolist() == ["G1.lof", "G1.damaging", "G2.damaging"]
    assert data.X.dtype == np.int8
    expected = np.zeros((20, 3))
    expected[2] = [1, 2, 0]
    expected[5, 1] = 1
    expected[9, 2] = 1
    np.testing.assert_array_equal(data.X.toarray(), expected)
    assert data.var["carriers"].tolist() == [1, 2, 1]
    assert data.var["variants"].tolist() == [1, 2, 1]
    assert data.var["missing"].tolist() == [1, 1, 0]
    assert data.var["pos"].tolist() == [1000, 1000, 7000]
    shared = {"duplicate id": 1, "frequency": 1, "no carrier": 1, "not annotated": 3, "not called": 1}
    assert json.loads(data.var["dropped"].iloc[0]) == {**shared, "category": 2}
    assert json.loads(data.var["dropped"].iloc[1]) == {**shared, "category": 1}


def test_samples_without_exome_calls_are_no_rows_and_the_excluded_do_not_count(study):
    names = ["7777777", *NAMES[::-1]]
    data = run(study, names=names, excluded=[NAMES[5]])
    assert data.obs_names.tolist() == [name for name in NAMES[::-1] if name != NAMES[5]]
    assert data.var["carriers"].tolist() == [1, 1, 1]


def test_the_frequency_limit_is_inclusive_and_of_the_samples_kept(study):
    assert run(study, max_aaf=1 / 40).var_names.tolist() == ["G2.damaging"]
    assert run(study, max_aaf=1 / 38).var_names.tolist() == ["G1.lof", "G1.damaging", "G2.damaging"]
    assert run(study, max_aaf=3 / 40).var["variants"].tolist() == [1, 2, 1]
    assert run(study, max_aaf=0.2).var["variants"].tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("file", "text", "reported"),
    [
        ("annotations.tsv", "", "annotations.tsv is empty: 3 columns a line"),
        ("annotations.tsv", "a G1\n", "line 1 has 2"),
        ("annotations.tsv", "a G1 LoF\nb G1\n", "line 2 is short"),
        ("annotations.tsv", "a G1 LoF\nb G1 LoF 0.5\n", "not regular .*line 2"),
        ("annotations.tsv", "a G1 lof\n", r"no variant of the mask lof \(LoF\): its categories are lof"),
        ("sets.tsv", "G1 1 1000\n", "4 columns a line"),
        ("sets.tsv", "G1 1 x a,b\n", "line 1: column 3 is not a position"),
        ("sets.tsv", "G1 1 5 a\nG1 1 9 b\n", r"1 genes on a second line \(the first is G1\)"),
        ("sets.tsv", "G1 X 5 a\n", r"no gene on the chromosomes of genotypes.chromosomes \(it has X\)"),
        ("sets.tsv", "G1 1 5 1:100:A:G,rs5\n", "names 2 variants, none of which is in the exome calls"),
        ("sets.tsv", "G1 1 5 g\n", "nobody carries .* not annotated.*: check that its variant ids"),
    ],
)
def test_malformed_files(study, file, text, reported):
    (study / file).write_text(text)
    with pytest.raises(UserError, match=reported) as error:
        run(study)
    assert str(study / file) in str(error.value)
    assert not (study / "burden.h5ad").exists()


def test_samples_in_common(study):
    with pytest.raises(UserError, match="no sample is in both the cohort") as error:
        run(study, names=["HG00096"])
    assert "HG00096" not in str(error.value)
    write_plink(study / "chr2.bed", np.ones((19, 1), dtype=np.int8), NAMES[1:], "2", sid=["a"])
    with pytest.raises(UserError, match=r"chr2.bed lacks 1 of 20 samples"):
        run(study, chromosomes=("1", "2"))


def test_a_category_that_nobody_has_is_warned_of(study, caplog):
    run(study, masks={"lof": ["LoF", "frameshift"]})
    assert "mask lof: no variant has the category frameshift" in caplog.text
