"""The burden from whole files: VEP's names, sets from annotations, masks and frequencies user-supplied, bad input."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contigwas.burden import write_burden
from contigwas.burden.annotations import read_annotations
from contigwas.burden.regenie import read_aaf, read_masks
from contigwas.burden.rules import Rules
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids, write_plink

NAMES = iids(20)
IDS = ["a", "b", "c", "d", "e", "f"]
CARRIERS = [[0], [0, 1], [2], [0, 3, 4], [5], [6, 7]]
SETS = "G1 1 1000 a,b,c\nG2 1 4000 d,e\nG3 2 1 f\n"
ANNOTATIONS = "a G1 LoF\nb G1 missense\nc G1 LoF\nd G2 LoF\ne G2 missense\nf G3 LoF\nf G9 LoF\na G2 LoF\n"


@pytest.fixture
def study(tmp_path):
    """Chromosome 1 has a to e at 1000, 2000, …, chromosome 2 has f; A is the effect allele, G the other one."""
    dosages = np.zeros((20, 6), dtype=np.int8)
    for column, samples in enumerate(CARRIERS):
        dosages[samples, column] = 1
    dosages[1, 1] = 2
    dosages[9, 4] = -127
    write_plink(tmp_path / "chr1.bed", dosages[:, :5], NAMES, "1", sid=IDS[:5])
    write_plink(tmp_path / "chr2.bed", dosages[:, 5:], NAMES, "2", sid=IDS[5:])
    (tmp_path / "annotations.txt").write_text(ANNOTATIONS)
    (tmp_path / "sets.txt").write_text(SETS)
    return tmp_path


def run(folder, sets="sets.txt", annotations="annotations.txt", pattern="chr{chrom}.bed", names=NAMES, **changed):
    keys = {"masks": {"lof": ["LoF"], "damaging": ["LoF", "missense"]}, "max_aaf": 0.5, **changed}
    for key in ("masks", "aaf"):
        keys[key] = str(folder / keys[key]) if isinstance(keys.get(key), str) else keys.get(key)
    cohort, out = write_cohort(folder, names), folder / "burden.h5ad"
    out.unlink(missing_ok=True)
    sets = folder / sets if sets else None
    write_burden(folder / pattern, [1, 2], folder / annotations, sets, cohort, burden_settings(**keys), out)
    data = read_modality(out)
    return pd.DataFrame(data.X.toarray(), data.obs_names, data.var_names), data


def test_annotations_of_variants_and_genes_without_a_set_are_counted(study, caplog):
    caplog.set_level("INFO")
    found, _ = run(study)
    assert found.columns.tolist() == ["G1.lof", "G1.damaging", "G2.lof", "G2.damaging", "G3.lof", "G3.damaging"]
    assert "1 annotations are of a variant that its gene's set does not list, 1 of a gene without a set" in caplog.text
    assert "0 of the 6 variants of sets are not in the exome calls" in caplog.text


def test_unknown_variants_of_sets_are_counted(study, caplog):
    caplog.set_level("INFO")
    (study / "sets.txt").write_text("G1 1 1000 a,zz,1:77:A:G\n")
    _, data = run(study)
    assert "2 of the 3 variants of sets are not in the exome calls" in caplog.text
    assert json.loads(data.var["dropped"].iloc[0]) == {"not annotated": 2}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(SETS.split("\n")[:3]), st.permutations(ANNOTATIONS.split("\n")[:8]), st.permutations(NAMES))
def test_no_order_matters(study, sets, annotations, names):
    (study / "annotations.txt").write_text(ANNOTATIONS)
    (study / "sets.txt").write_text(SETS)
    expected, _ = run(study)
    (study / "sets.txt").write_text("\n".join(sets) + "\n")
    (study / "annotations.txt").write_text("\n".join(annotations))
    found, _ = run(study, names=names)
    assert found.index.tolist() == names
    pd.testing.assert_frame_equal(found.loc[expected.index, expected.columns], expected)


def test_samples_who_change_places_take_their_burden_along(study):
    expected, _ = run(study)
    for chrom, columns in (("1", IDS[:5]), ("2", IDS[5:])):
        fam = study / f"chr{chrom}.fam"
        fam.write_text("".join(fam.read_text().splitlines(keepends=True)[::-1]))
        assert columns
    found, _ = run(study)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy()[::-1])


def test_sets_may_come_from_the_annotations(study, caplog):
    caplog.set_level("INFO")
    expected, listed = run(study)
    (study / "annotations.txt").write_text("".join(ANNOTATIONS.splitlines(keepends=True)[:6]) + "zz G1 LoF\n")
    found, data = run(study, sets=None)
    pd.testing.assert_frame_equal(found, expected)
    columns = ["gene", "mask", "chrom", "carriers", "variants", "missing", "dropped"]
    pd.testing.assert_frame_equal(data.var[columns], listed.var[columns])
    assert data.var["pos"].tolist() == [1000, 1000, 4000, 4000, 1000, 1000], "the gene's first variant"
    assert "1 of 7 annotations are of variants that are not in the exome calls" in caplog.text


def test_a_gene_on_two_chromosomes_keeps_the_first(study, caplog):
    (study / "annotations.txt").write_text("a G1 LoF\nf G1 LoF\n")
    found, data = run(study, sets=None, masks={"lof": ["LoF"]})
    assert found.columns.tolist() == ["G1.lof"]
    assert data.var["chrom"].tolist() == ["1"]
    assert "1 annotations are left out: their gene has a set on another chromosome" in caplog.text


@pytest.mark.parametrize("sets", ["sets.txt", None])
def test_names_may_be_places(study, sets):
    places = {name: f"chr{1 + (name == 'f')}:{1000 * (number % 5 + 1)}:G:A" for number, name in enumerate(IDS)}
    expected, _ = run(study)
    text = "".join(f"{places[line[0]]}{line[1:]}\n" for line in ANNOTATIONS.splitlines()[:6])
    (study / "annotations.txt").write_text(text)
    found, _ = run(study, sets=sets)
    pd.testing.assert_frame_equal(found, expected)


def test_sets_by_id_and_a_vcf_by_place(study):
    head = '##fileformat=VCFv4.2\n##INFO=<ID=CSQ,Description="x. Format: Allele|Consequence|IMPACT|SYMBOL">\n'
    kinds = {"LoF": "stop_gained|HIGH", "missense": "missense_variant|MODERATE"}
    rows = []
    for line in ANNOTATIONS.splitlines()[:6]:
        name, gene, kind = line.split()
        number = IDS.index(name)
        rows.append(f"{1 + number // 5}\t{1000 * (number % 5 + 1)}\t.\tG\tA\t.\t.\tCSQ=A|{kinds[kind]}|{gene}\n")
    expected, _ = run(study)
    (study / "annotations.txt").write_bytes(gzip.compress((head + "".join(rows)).encode()))
    for sets in ("sets.txt", None):
        found, _ = run(study, sets=sets)
        pd.testing.assert_frame_equal(found, expected)


def test_every_file_may_be_gzipped_under_any_name(study):
    (study / "masks.txt").write_text("lof LoF\ndamaging LoF,missense\n")
    (study / "aaf.txt").write_text("".join(f"{name} 0.1\n" for name in IDS))
    expected, _ = run(study, masks="masks.txt", aaf="aaf.txt")
    for name in ("masks.txt", "aaf.txt", "sets.txt", "annotations.txt"):
        path = study / name
        half = len(path.read_bytes()) // 2  # bgzip writes several members
        path.write_bytes(gzip.compress(path.read_bytes()[:half]) + gzip.compress(path.read_bytes()[half:]))
    found, _ = run(study, masks="masks.txt", aaf="aaf.txt")
    pd.testing.assert_frame_equal(found, expected)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"annotations.txt is a gzipped file that is cut short"):
        run(study)


def test_domains_are_put_together(study, caplog):
    caplog.set_level("INFO")
    expected, _ = run(study)
    text = "".join(" ".join([*line.split()[:2], "D1", line.split()[2]]) + "\n" for line in ANNOTATIONS.splitlines())
    (study / "annotations.txt").write_text(text)
    found, _ = run(study)
    pd.testing.assert_frame_equal(found, expected)
    assert "masks are made over all domains of a gene" in caplog.text


def test_categories_that_no_mask_has_are_told(study, caplog):
    caplog.set_level("INFO")
    (study / "annotations.txt").write_text(ANNOTATIONS + "b G3 splice\n")
    run(study)
    assert "annotations of a category that no mask has: 1 of splice" in caplog.text


def test_external_frequencies_and_singletons(study, caplog):
    caplog.set_level("INFO")
    (study / "aaf.txt").write_text("a 0.9\nb 0.001\nc 0.01\nd 0.01\nf 0.01\n")
    _, data = run(study, aaf="aaf.txt", max_aaf=0.01, singletons=True)
    masks = [f"G1.{one}" for one in ("lof", "lof.singleton", "damaging", "damaging.singleton")]
    assert data.var_names.tolist()[:4] == masks
    assert [json.loads(one) for one in data.var["dropped"][:4]] == [
        {"category": 1, "frequency": 1}, {"category": 1, "frequency": 1},
        {"frequency": 1}, {"frequency": 1, "not singleton": 1},
    ]  # fmt: skip
    assert json.loads(data.var.loc["G2.damaging", "dropped"]) == {"no aaf": 1}
    (study / "aaf.txt").write_text("a 0.9 1\nb 0.001 1\nc 0.01 0\nd 0.01 0\n")
    _, data = run(study, aaf="aaf.txt", max_aaf=0.01, singletons=True)
    assert [one for one in data.var["mask"] if one.endswith("singleton")] == ["damaging.singleton"]


def test_frequencies_by_place(study):
    expected, _ = run(study, aaf=None)
    rows = [("a", "0.1"), ("chr1:2000:G:A", "0.1"), ("1:3000:G:A", "0.1"), ("1:4000:A:G", "0.1"), ("e", "0.1")]
    (study / "aaf.txt").write_text("".join(" ".join(row) + "\n" for row in [*rows, ("2:1000:G:A", "0.1")]))
    found, data = run(study, aaf="aaf.txt")
    assert json.loads(data.var.loc["G2.damaging", "dropped"]) == {"no aaf": 1}, "other alleles are another variant"
    columns = expected.columns.drop(["G2.lof", "G2.damaging"])
    pd.testing.assert_frame_equal(found[columns], expected[columns])


def test_missing_calls(study):
    found, _ = run(study, max_missing=0.05)
    assert "G2.damaging" in found and found.loc[NAMES[5], "G2.damaging"] == 1
    found, data = run(study, max_missing=0.04)
    assert found.loc[NAMES[5], "G2.damaging"] == 0
    assert json.loads(data.var.loc["G2.damaging", "dropped"]) == {"missing calls": 1}


def test_sums_are_as_wide_as_they_must_be(tmp_path):
    ids = [f"v{number}" for number in range(100)]
    write_plink(tmp_path / "chr1.bed", np.full((20, 100), 2, np.int8), NAMES, "1", sid=ids)
    (tmp_path / "annotations.txt").write_text("".join(f"{one} G LoF\n" for one in ids))
    cohort = write_cohort(tmp_path, NAMES)
    for statistic, most, kind in (("sum", 200, np.int16), ("comphet", 2, np.int8)):
        keys = burden_settings(masks={"lof": ["LoF"]}, max_aaf=1, statistic=statistic)
        out = tmp_path / "burden.h5ad"
        write_burden(tmp_path / "chr1.bed", [1], tmp_path / "annotations.txt", None, cohort, keys, out)
        data = read_modality(out)
        assert data.X.dtype == kind and (data.X.toarray() == most).all()


def test_an_id_that_several_variants_have_means_none_of_them(study):
    """As the variants of a site that was split have; they are found by place and alleles."""
    dosages = np.zeros((20, 3), np.int8)
    dosages[[1, 2, 3], [0, 1, 2]] = 1
    place = {"sid": ["a", "a", "b"], "bp_position": [1000, 1000, 2000], "allele_1": ["A", "T", "A"]}
    write_plink(study / "split.bed", dosages, NAMES, "1", **place)
    (study / "sets.txt").write_text("G1 1 1000 a,b,1:1000:G:T\n")
    (study / "annotations.txt").write_text("a G1 LoF\nb G1 LoF\n1:1000:G:T G1 LoF\n")
    found, data = run(study, pattern="split.bed", masks={"lof": ["LoF"]})
    assert np.flatnonzero(found["G1.lof"]).tolist() == [2, 3]
    assert json.loads(data.var["dropped"].iloc[0]) == {"duplicate id": 1}


@pytest.mark.parametrize(
    ("file", "text", "reported"),
    [
        ("annotations.txt", "a G1 D LoF x\n", "line 1 has 5.*3 columns a line .variant, gene, category.; or 4 columns"),
        ("annotations.txt", b"\x00\x01\xff\xfe" * 10, "neither UTF-8 text nor gzipped text"),
        ("annotations.txt", "zz G1 LoF\nyy G1 missense\n", "names 2 variants of genes, none of which is in the exome"),
        ("masks.txt", "", "masks.txt is empty: a name and categories"),
        ("masks.txt", "lof LoF\ndamaging\n", "line 2: the mask has no category"),
        ("masks.txt", "lof LoF\nlof missense\n", "line 2: the mask lof stands on a second line"),
        ("masks.txt", "lof frameshift\n", r"no variant of the mask lof \(frameshift\).*correct burden.masks"),
        ("aaf.txt", "", "aaf.txt is empty: 2 columns a line"),
        ("aaf.txt", "a 0.1\nb 1.5\n", "line 2: column 2 is 1.5, not a frequency from 0 to 1"),
        ("aaf.txt", "a 0.1\nb -0.1\n", "line 2: column 2 is -0.1"),
        ("aaf.txt", "a nan\n", "line 1: column 2 is nan"),
        ("aaf.txt", "variant aaf\na 0.1\n", "line 1: column 2 is aaf"),
        ("aaf.txt", "a 0.1\na 0.2\n", r"1 variants on a second line \(the first is a\)"),
        ("aaf.txt", "a 0.1 yes\n", "line 1: column 3 is neither 0 nor 1"),
        ("aaf.txt", "zz 0.1\n", "aaf.txt has no frequency for 6 of them: give its"),
    ],
)
def test_bad_input(study, file, text, reported):
    (study / "masks.txt").write_text("lof LoF\n")
    (study / "aaf.txt").write_text("".join(f"{name} 0.1\n" for name in IDS))
    (study / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=reported) as error:
        run(study, sets=None, masks="masks.txt", aaf="aaf.txt")
    assert any(str(study / one) in str(error.value) for one in (file, "annotations.txt"))
    assert not (study / "burden.h5ad").exists()


def test_absent_files(study):
    for key, reported in (("masks", "correct burden.masks"), ("aaf", "correct burden.aaf")):
        with pytest.raises(UserError, match=f"absent.txt does not exist: {reported}"):
            run(study, **{key: "absent.txt"})


def test_a_mask_file_of_other_systems(tmp_path):
    (tmp_path / "masks").write_bytes(b"M1\tLoF,missense\r\n\r\nM2 LoF, missense\n")
    assert read_masks(tmp_path / "masks") == {"M1": ["LoF", "missense"], "M2": ["LoF", "missense"]}


@pytest.mark.parametrize("change", [lambda text: "\n" + text, lambda text: "\ufeff" + text, lambda text: text[:-1]])
def test_lines_without_content_and_marks_of_editors(study, change):
    expected, _ = run(study)
    for name in ("annotations.txt", "sets.txt"):
        path = study / name
        path.write_text(change(path.read_text()).replace("\n", "\r\n"))
    found, _ = run(study)
    pd.testing.assert_frame_equal(found, expected)


def test_the_longer_form_of_frequencies(tmp_path):
    (tmp_path / "aaf").write_text("a 1e-5 0 7 6187101\nb 0 1 7 6190395\n")
    table = read_aaf(tmp_path / "aaf")
    assert table["aaf"].tolist() == [1e-5, 0]
    assert table["singleton"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("masks", "reported"),
    [
        ({"a": ["x"], "a.singleton": ["y"]}, "one of that name: rename it"),
        ({"a b": ["x"]}, "a mask 'a b': give it a name without white space"),
    ],
)
def test_names_of_masks(masks, reported):
    with pytest.raises(UserError, match=reported):
        Rules.of(burden_settings(masks=masks, singletons=True))


def test_names_of_features_that_are_the_same(study):
    (study / "sets.txt").write_text("G1 1 1000 a\nG1.x 1 1000 a\n")
    (study / "annotations.txt").write_text("a G1 LoF\na G1.x LoF\n")
    with pytest.raises(UserError, match=r"1 names of a gene and a mask .*\(the first is G1.x.y\)"):
        run(study, masks={"x.y": ["LoF"], "y": ["LoF"]})


@given(st.lists(st.tuples(*[st.text("abGλ.:_,/#|é", min_size=1, max_size=6)] * 3), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_annotations_are_read_as_written(tmp_path, rows):
    path = tmp_path / "annotations"
    path.write_text("".join(" \t".join(row) + "\n" for row in rows))
    table = read_annotations(path, burden_settings()["vep"])
    assert list(table.itertuples(index=False, name=None)) == rows
