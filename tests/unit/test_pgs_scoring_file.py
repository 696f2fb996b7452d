"""Scoring files: what is read, what is refused, and in which words."""

import gzip

import numpy as np
import pandas as pd
import pytest

from contigwas.errors import UserError
from contigwas.pgs.scoring_file import read_scoring_file
from tests.modalities import write_score

ROWS = pd.DataFrame(
    {
        "rsID": ["rs1", "rs2", "rs3"],
        "chr_name": ["1", "chr2", "X"],
        "chr_position": ["100", "200", "300"],
        "effect_allele": ["a", "C", "G"],
        "other_allele": ["G", "T", ""],
        "effect_weight": ["0.5", "-1e-3", "0"],
    }
)


def test_plain_file(tmp_path):
    path = write_score(tmp_path / "x.txt.gz", ROWS, pgs_id="PGS1", trait_reported="height=tall", genome_build="hg19")
    score = read_scoring_file(path, "GRCh37")
    assert (score.name, score.trait) == ("PGS1", "height=tall")
    assert score.rows["chrom"].tolist() == ["1", "2", "X"]
    assert score.rows["pos"].tolist() == [100, 200, 300]
    assert score.rows["effect_allele"].tolist() == ["A", "C", "G"]
    assert score.rows["other_allele"].tolist() == ["G", "T", ""]
    np.testing.assert_array_equal(score.rows[["w0", "w1", "w2"]], [[0, 0.5, 1], [0, -1e-3, -2e-3], [0, 0, 0]])


def test_gzip_is_known_by_its_bytes_and_names_by_the_stem(tmp_path):
    plain = write_score(tmp_path / "my.score.txt", ROWS)
    (tmp_path / "zipped.txt").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "windows.tsv.gz").write_bytes(gzip.compress(plain.read_bytes().replace(b"\n", b"\r\n")))
    rows = read_scoring_file(plain, "GRCh37").rows
    for name, stem in (("my.score.txt", "my.score"), ("zipped.txt", "zipped"), ("windows.tsv.gz", "windows")):
        score = read_scoring_file(tmp_path / name, "GRCh37")
        assert score.name == stem
        pd.testing.assert_frame_equal(score.rows, rows)


def test_kinds_of_weights(tmp_path):
    rows = pd.concat([ROWS, ROWS], ignore_index=True).assign(
        is_dominant=["True", "False", "", "", "", ""],
        is_recessive=["", "TRUE", "FALSE", "", "", ""],
        dosage_0_weight=["", "", "", "", "1", ""],
        dosage_1_weight=["", "", "", "", "2.5", ""],
        dosage_2_weight=["", "", "", "", "-3", ""],
    )
    rows.loc[4, "effect_weight"] = ""
    weights = read_scoring_file(write_score(tmp_path / "x.txt", rows), "GRCh37").rows[["w0", "w1", "w2"]]
    np.testing.assert_array_equal(
        weights, [[0, 0.5, 0.5], [0, 0, -1e-3], [0, 0, 0], [0, 0.5, 1], [1, 2.5, -3], [0, 0, 0]]
    )


def test_harmonised_columns_come_first_and_own_positions_only_count_on_the_same_build(tmp_path):
    rows = ROWS.assign(hm_chr=["1", "", "3"], hm_pos=["111", "", "333"], hm_rsID=["rs11", "", "."])
    rows["hm_inferOtherAllele"] = ["C", "", "A/T"]
    other = read_scoring_file(
        write_score(tmp_path / "a.txt", rows, genome_build="GRCh38", HmPOS_build="GRCh37"), "GRCh37"
    ).rows
    assert other["pos"].tolist() == [111, -1, 333]
    assert other["chrom"].tolist() == ["1", "", "3"]
    assert other["rsid"].tolist() == ["rs11", "rs2", "rs3"]
    assert other["other_allele"].tolist() == ["G", "T", ""]
    same = read_scoring_file(
        write_score(tmp_path / "b.txt", rows, genome_build="GRCh37", HmPOS_build="GRCh37"), "GRCh37"
    ).rows
    assert same["pos"].tolist() == [111, 200, 333]


def test_inferred_other_allele(tmp_path):
    rows = ROWS.drop(columns="other_allele").assign(hm_inferOtherAllele=["c", "A/T", ""])
    assert read_scoring_file(write_score(tmp_path / "x.txt", rows), "GRCh37").rows["other_allele"].tolist() == [
        "C", "", "",
    ]  # fmt: skip


def test_an_unnamed_build_is_warned_of(tmp_path, caplog):
    read_scoring_file(write_score(tmp_path / "x.txt", ROWS, genome_build="NR"), "GRCh37")
    assert "does not name its build" in caplog.text


@pytest.mark.parametrize(
    ("header", "columns", "told"),
    [
        ({"genome_build": "GRCh38"}, {}, "GRCh38 .*#genome_build.* but genotypes.build is GRCh37"),
        ({"genome_build": "hg38"}, {}, "GRCh38"),
        ({"genome_build": "hg18"}, {}, "hg18 .* GRCh37"),
        ({"HmPOS_build": "GRCh38", "genome_build": "GRCh37"}, {"hm_chr": "1", "hm_pos": "1"}, "GRCh38 .*#HmPOS_build"),
        ({"pgs_id": "PGS9"}, {"is_haplotype": ["TRUE", "", "True"]}, "score PGS9 has 2 rows of haplotypes"),
        ({"pgs_id": "PGS9"}, {"is_diplotype": ["FALSE", "", "TRUE"]}, "PGS9 has 1 rows"),
        ({}, {"is_interaction": "True"}, "score x has 3 rows"),
        ({}, {"effect_weight": ["1", "", "2"]}, "1 rows have no weight .*row 2"),
        ({}, {"effect_weight": ["1", "b", "inf"]}, "2 values of effect_weight are no numbers .*row 2 .*'b'"),
        ({}, {"chr_position": ["1", "2", "x"]}, "1 values of chr_position .*row 3"),
        ({}, {"is_dominant": "True", "is_recessive": "True"}, "3 rows are both"),
        ({}, {"dosage_0_weight": "1", "dosage_1_weight": "", "dosage_2_weight": "1"}, "3 rows have no weight"),
    ],
)
def test_refused_content(tmp_path, header, columns, told):
    with pytest.raises(UserError, match=told) as error:
        read_scoring_file(write_score(tmp_path / "x.txt", ROWS.assign(**columns), **header), "GRCh37")
    assert str(tmp_path / "x.txt") in str(error.value)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["rsID", "effect_weight", "allele"], "no column effect_allele: its header names rsID, effect_weight, allele"),
        (["rsID", "effect_allele"], "no column effect_weight"),
        (["chr_name", "effect_allele", "effect_weight"], "neither positions .* nor rsID"),
        (["rsID", "effect_allele", "effect_allele", "effect_weight"], "effect_allele more than once"),
    ],
)
def test_refused_columns(tmp_path, columns, told):
    path = tmp_path / "x.txt"
    path.write_text("#pgs_id=A\n" + "\t".join(columns) + "\n" + "\t".join("1" * len(columns)) + "\n")
    with pytest.raises(UserError, match=told):
        read_scoring_file(path, "GRCh37")


def test_refused_files(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_scoring_file(tmp_path / "absent.txt", "GRCh37")
    (tmp_path / "empty.txt").write_text("#pgs_id=A\n")
    with pytest.raises(UserError, match="empty or has only a header"):
        read_scoring_file(tmp_path / "empty.txt", "GRCh37")
    with pytest.raises(UserError, match="the score A has no row"):
        read_scoring_file(write_score(tmp_path / "a.txt", ROWS.iloc[:0], pgs_id="A"), "GRCh37")
    ragged = write_score(tmp_path / "ragged.txt", ROWS)
    ragged.write_text(ragged.read_text() + "rs4\t1\n")
    with pytest.raises(UserError, match="not a tab-separated table .*Expected 6 columns, got 2"):
        read_scoring_file(ragged, "GRCh37")
    many = pd.concat([ROWS] * 20_000).assign(effect_weight=np.random.default_rng(1).normal(size=60_000))
    whole = write_score(tmp_path / "whole.txt.gz", many).read_bytes()
    (tmp_path / "cut.txt.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="download it again"):
        read_scoring_file(tmp_path / "cut.txt.gz", "GRCh37")
    (tmp_path / "noise.txt.gz").write_bytes(whole[:20] + bytes(200))
    with pytest.raises(UserError, match="download it again"):
        read_scoring_file(tmp_path / "noise.txt.gz", "GRCh37")


def test_real_files(shared_data):
    folder = shared_data / "pgs"
    score = read_scoring_file(folder / "PGS000001_hmPOS_GRCh37.txt.gz", "GRCh37")
    assert (score.name, score.trait, len(score.rows)) == ("PGS000001", "Breast cancer", 77)
    assert score.rows.loc[0, ["chrom", "pos", "rsid"]].tolist() == ["11", 69331418, "rs78540526"]
    assert score.rows.loc[0, ["effect_allele", "other_allele"]].tolist() == ["T", "C"]
    assert score.rows.loc[0, "w2"] == pytest.approx(2 * 0.16220387987485377, rel=1e-15)
    assert (score.rows["pos"] > 0).all()
    assert read_scoring_file(folder / "PGS000002_hmPOS_GRCh37.txt.gz", "GRCh37").name == "PGS000002"
    with pytest.raises(UserError, match="GRCh38 .* GRCh37"):
        read_scoring_file(folder / "PGS000001_hmPOS_GRCh38.txt.gz", "GRCh37")
    for name, count in (("complex_variants_PGS000021", 8), ("complex_variants_PGS004239", 3)):
        with pytest.raises(UserError, match=f"score {name} has {count} rows of haplotypes"):
            read_scoring_file(folder / f"{name}.txt", "GRCh37")
