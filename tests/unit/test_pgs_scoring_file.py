"""Scoring files: what is read, what is refused, and in which words."""

import gzip

import numpy as np
import pandas as pd
import pytest

from contigwas.pgs.scoring_file import read_scoring_file
from contigwas.runtime.errors import UserError
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


def frame(file):
    """The rows of a file as text and numbers."""
    rows = file.rows
    return pd.DataFrame(
        {
            "chrom": rows.chrom.tolist(),
            "pos": rows.pos,
            "rsid": rows.rsid.fill_null("").to_pylist(),
            "effect": rows.effect.tolist(),
            "other": rows.other.tolist(),
        }
    )


def test_plain_file(tmp_path):
    path = write_score(tmp_path / "x.txt.gz", ROWS, pgs_id="PGS1", trait_reported="height=tall", genome_build="hg19")
    file = read_scoring_file(path, "GRCh37")
    (score,) = file.scores
    assert (score.name, score.trait, file.kind) == ("PGS1", "height=tall", "PGS Catalog")
    expected = {"chrom": ["1", "2", "X"], "pos": [100, 200, 300], "rsid": ["rs1", "rs2", "rs3"]}
    expected |= {"effect": ["A", "C", "G"], "other": ["G", "T", ""]}
    pd.testing.assert_frame_equal(frame(file), pd.DataFrame(expected))
    np.testing.assert_array_equal(score.weights, [0.5, -1e-3, 0])


def test_gzip_is_known_by_its_bytes_and_names_by_the_stem(tmp_path):
    plain = write_score(tmp_path / "my.score.txt", ROWS)
    (tmp_path / "zipped.txt").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "windows.tsv.gz").write_bytes(gzip.compress(plain.read_bytes().replace(b"\n", b"\r\n")))
    # bgzip writes many gzip members one after another
    half = len(plain.read_bytes()) // 2
    parts = plain.read_bytes()[:half], plain.read_bytes()[half:]
    (tmp_path / "blocks.txt").write_bytes(b"".join(gzip.compress(part) for part in (*parts, b"")))
    names = {"my.score.txt": "my.score", "zipped.txt": "zipped", "windows.tsv.gz": "windows", "blocks.txt": "blocks"}
    for name, stem in names.items():
        file = read_scoring_file(tmp_path / name, "GRCh37")
        assert file.scores[0].name == stem
        pd.testing.assert_frame_equal(frame(file), frame(read_scoring_file(plain, "GRCh37")))


def test_kinds_of_weights(tmp_path):
    rows = pd.concat([ROWS, ROWS], ignore_index=True).assign(
        is_dominant=["True", "False", "", "", "", ""],
        is_recessive=["", "TRUE", "FALSE", "", "", ""],
        dosage_0_weight=["", "", "", "", "1", ""],
        dosage_1_weight=["", "", "", "", "2.5", ""],
        dosage_2_weight=["", "", "", "", "-3", ""],
    )
    rows.loc[4, "effect_weight"] = ""
    weights = read_scoring_file(write_score(tmp_path / "x.txt", rows), "GRCh37").scores[0].weights
    np.testing.assert_array_equal(
        weights, [[0, 0.5, 0.5], [0, 0, -1e-3], [0, 0, 0], [0, 0.5, 1], [1, 2.5, -3], [0, 0, 0]]
    )


def test_harmonised_columns_come_first_and_own_positions_only_count_on_the_same_build(tmp_path):
    rows = ROWS.assign(hm_chr=["1", "", "3"], hm_pos=["111", "", "333"], hm_rsID=["rs11", "", "."])
    rows["hm_inferOtherAllele"] = ["C", "", "A/T"]
    file = read_scoring_file(
        write_score(tmp_path / "a.txt", rows, genome_build="GRCh38", HmPOS_build="GRCh37"), "GRCh37"
    )
    other = frame(file)
    assert other["pos"].tolist() == [111, -1, 333]
    assert other["chrom"].tolist() == ["1", "", "3"]
    assert other["rsid"].tolist() == ["rs11", "rs2", "rs3"]
    assert other["other"].tolist() == ["G", "T", ""]
    assert file.elsewhere["GRCh38", "genome_build"][1].tolist() == [100, 200, 300]
    same = read_scoring_file(
        write_score(tmp_path / "b.txt", rows, genome_build="GRCh37", HmPOS_build="GRCh37"), "GRCh37"
    )
    assert same.rows.pos.tolist() == [111, 200, 333]
    assert not same.elsewhere
    # the positions that were published serve where the harmonised ones are on another build
    turned = read_scoring_file(
        write_score(tmp_path / "c.txt", rows, genome_build="GRCh37", HmPOS_build="GRCh38"), "GRCh37"
    )
    assert turned.rows.pos.tolist() == [100, 200, 300]


def test_inferred_other_allele(tmp_path):
    rows = ROWS.drop(columns="other_allele").assign(hm_inferOtherAllele=["c", "A/T", ""])
    file = read_scoring_file(write_score(tmp_path / "x.txt", rows), "GRCh37")
    assert file.rows.other.tolist() == ["C", "", ""]


def test_an_unnamed_build_is_warned_of(tmp_path, caplog):
    read_scoring_file(write_score(tmp_path / "x.txt", ROWS, genome_build="NR"), "GRCh37")
    assert "does not name its build" in caplog.text


@pytest.mark.parametrize(
    ("header", "columns", "reported"),
    [
        ({"pgs_id": "PGS9"}, {"is_haplotype": ["TRUE", "", "True"]}, "score PGS9 has 2 rows of haplotypes"),
        ({"pgs_id": "PGS9"}, {"is_diplotype": ["FALSE", "", "TRUE"]}, "PGS9 has 1 rows"),
        ({}, {"is_interaction": "True"}, "score x has 3 rows"),
        ({}, {"effect_weight": ["1", "", "2"]}, "1 rows have no weight .*row 2"),
        ({}, {"effect_weight": ["1", "b", "inf"]}, "2 values of effect_weight are no numbers .*row 2 .*'b'"),
        ({}, {"chr_position": ["1", "2", "x"]}, "1 values of chr_position .*row 3"),
        ({}, {"chr_position": ["1", "2.5", "3"]}, "1 values of chr_position are no whole numbers .*row 2"),
        ({}, {"is_dominant": "True", "is_recessive": "True"}, "3 rows are both"),
        ({}, {"dosage_0_weight": "1", "dosage_1_weight": "", "dosage_2_weight": "1"}, "3 rows have no weight"),
    ],
)
def test_refused_content(tmp_path, header, columns, reported):
    with pytest.raises(UserError, match=reported) as error:
        read_scoring_file(write_score(tmp_path / "x.txt", ROWS.assign(**columns), **header), "GRCh37")
    assert str(tmp_path / "x.txt") in str(error.value)


@pytest.mark.parametrize(
    ("columns", "reported"),
    [
        (["rsID", "effect_weight", "base"], "no column effect_allele: its header names rsID, effect_weight, base"),
        (["rsID", "effect_allele"], "no column effect_weight"),
        (["chr_name", "effect_allele", "effect_weight"], "neither positions .* nor rsID"),
        (["rsID", "effect_allele", "effect_allele", "effect_weight"], "effect_allele more than once"),
    ],
)
def test_refused_columns(tmp_path, columns, reported):
    path = tmp_path / "x.txt"
    path.write_text("#pgs_id=A\n" + "\t".join(columns) + "\n" + "\t".join("1" * len(columns)) + "\n")
    with pytest.raises(UserError, match=reported):
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


def test_positions_of_another_build_are_put_aside(tmp_path):
    for header in ({"genome_build": "hg38"}, {"genome_build": "38"}, {"genome_build": "GRCh38"}):
        file = read_scoring_file(write_score(tmp_path / "x.txt", ROWS, **header), "GRCh37")
        assert not file.placed
        assert list(file.elsewhere) == [("GRCh38", "genome_build")]


def test_an_excluded_complex_score_is_not_refused(tmp_path):
    path = write_score(tmp_path / "x.txt", ROWS.assign(is_haplotype="True"), pgs_id="PGS9")
    assert read_scoring_file(path, "GRCh37", {"PGS9"}).scores[0].name == "PGS9"
    with pytest.raises(UserError, match="name it in pgs.exclude"):
        read_scoring_file(path, "GRCh37", {"PGS8"})


@pytest.mark.parametrize("separator", ["\t", " "])
def test_three_columns_without_a_header(tmp_path, separator):
    lines = ["rs1 a 0.5", "chr2:200:c:T C -1e-3", "3:300 G 0", "X_7_A_AT at 2"]
    (tmp_path / "mine.txt").write_text("\n".join(line.replace(" ", separator) for line in lines) + "\n")
    file = read_scoring_file(tmp_path / "mine.txt", "GRCh37")
    assert (file.kind, file.scores[0].name) == ("plain", "mine")
    np.testing.assert_array_equal(file.scores[0].weights, [0.5, -1e-3, 0, 2])
    assert frame(file).iloc[0].tolist() == ["", -1, "rs1", "A", ""]
    assert frame(file).iloc[1, [0, 1, 3, 4]].tolist() == ["2", 200, "C", "T"]
    assert frame(file).iloc[2, [0, 1, 3, 4]].tolist() == ["3", 300, "G", ""]
    assert frame(file).iloc[3, [0, 1, 3, 4]].tolist() == ["X", 7, "AT", "A"]


@pytest.mark.parametrize("mark", ["#", ""])
def test_many_scores_in_one_table(tmp_path, mark):
    rows = ["CHROM\tPOS\tID\tA1\tOTHER_ALLELE\tS1\tS2", "1\t10\trs1\tA\tG\t0.5\t0", "chr2\t20\trs2\tC\t.\t1\t-3"]
    (tmp_path / "many.tsv").write_text(mark + "\n".join(rows) + "\n")
    file = read_scoring_file(tmp_path / "many.tsv", "GRCh37")
    assert (file.kind, [score.name for score in file.scores]) == ("table", ["S1", "S2"])
    np.testing.assert_array_equal([score.weights for score in file.scores], [[0.5, 1], [0, -3]])
    assert frame(file).to_numpy().tolist() == [["1", 10, "rs1", "A", "G"], ["2", 20, "rs2", "C", ""]]
    (tmp_path / "one.tsv").write_text("SNP\tA1\tBETA\nrs1\tA\t2\n")
    assert read_scoring_file(tmp_path / "one.tsv", "GRCh37").scores[0].name == "one"


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("ID\tA1\n1:1:A:G\tA\n", "no column of weights: its header names ID, A1"),
        ("ID\tA1\tS\tS\nrs1\tA\t1\t2\n", "a column twice"),
        ("ID\tA1\tS\nrs1\tA\tx\n", "1 values of S are no numbers .*row 1 .*'x'"),
        ("ID\tA1\tS\tT\nrs1\tA\t1\t\n", "1 rows have no weight"),
        ("ID\tA1\tS\n", "no row below its header"),
        ("beta\tse\n1\t2\n", "no column effect_allele: its header names beta, se"),
    ],
)
def test_refused_tables(tmp_path, text, reported):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(UserError, match=reported):
        read_scoring_file(tmp_path / "x.tsv", "GRCh37")


def test_real_files(shared_data):
    folder = shared_data / "pgs"
    file = read_scoring_file(folder / "PGS000001_hmPOS_GRCh37.txt.gz", "GRCh37")
    assert (file.scores[0].name, file.scores[0].trait, len(file.rows)) == ("PGS000001", "Breast cancer", 77)
    assert frame(file).iloc[0].tolist() == ["11", 69331418, "rs78540526", "T", "C"]
    assert file.scores[0].weights[0] == pytest.approx(0.16220387987485377, rel=1e-15)
    assert (file.rows.pos > 0).all()
    assert read_scoring_file(folder / "PGS000002_hmPOS_GRCh37.txt.gz", "GRCh37").scores[0].name == "PGS000002"
    other = read_scoring_file(folder / "PGS000001_hmPOS_GRCh38.txt.gz", "GRCh37")
    assert not other.placed
    assert list(other.elsewhere) == [("GRCh38", "HmPOS_build")]
    for name, count in (("complex_variants_PGS000021", 8), ("complex_variants_PGS004239", 3)):
        with pytest.raises(UserError, match=f"score {name} has {count} rows of haplotypes"):
            read_scoring_file(folder / f"{name}.txt", "GRCh37")
