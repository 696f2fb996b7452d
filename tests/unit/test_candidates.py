"""Who the inputs name."""

import logging

import pytest

from contigwas.runtime.errors import UserError
from contigwas.samples.candidates import analysed, read_candidates, write_candidates


def fam(path, names, sex=1):
    path.write_text("".join(f"F{name} {name} 0 0 {sex} -9\n" for name in names))
    return path


def table(path, names, header="iid\tage"):
    path.write_text(header + "\n" + "".join(f"{name}\t1\n" for name in names))
    return path


@pytest.fixture
def files(tmp_path):
    return {
        "genotypes": [fam(tmp_path / "chr1.fam", "abcd"), fam(tmp_path / "chr2.fam", "dcba")],
        "images_table": table(tmp_path / "images.tsv", ["d", "d", "a", "z"], "iid\tvisit"),
        "exome": [fam(tmp_path / "exome.fam", "aey", 2)],
        "output": tmp_path / "candidates.tsv",
    }


def test_everyone_that_any_file_names(files):
    write_candidates(**files)
    written = read_candidates(files["output"]).set_index("iid")
    assert written.columns.tolist() == ["fid", "sex", "genotypes", "images", "exome"]
    assert written.index.tolist() == ["a", "b", "c", "d", "z", "e", "y"]
    assert written["fid"].to_dict() == {name: name if name == "z" else f"F{name}" for name in "abcdzey"}
    assert written["sex"].tolist() == [1, 1, 1, 1, 0, 2, 2]
    assert [*written.index[written["images"] == 1]] == ["a", "d", "z"]
    assert [*written.index[written["exome"] == 1]] == ["a", "e", "y"]
    assert analysed(written.reset_index())["iid"].tolist() == ["a", "b", "c", "d"]


def test_only_genotypes(files):
    write_candidates(genotypes=files["genotypes"], output=files["output"])
    assert read_candidates(files["output"]).columns.tolist() == ["fid", "iid", "sex", "genotypes"]


def test_the_withdrawn_vanish_and_unknown_ones_are_counted(files, tmp_path, caplog):
    (tmp_path / "withdrawn.txt").write_text("a\n\nz\nunknown1\nunknown2\nunknown3\n")
    with caplog.at_level(logging.INFO):
        write_candidates(**files, withdrawn=tmp_path / "withdrawn.txt")
    assert read_candidates(files["output"])["iid"].tolist() == ["b", "c", "d", "e", "y"]
    assert "5 samples are withdrawn: 2 of them were in the inputs, 3 in none" in caplog.text
    assert "unknown" not in caplog.text


def test_withdrawn_is_one_column(files, tmp_path):
    (tmp_path / "withdrawn.txt").write_text("iid\na b\n")
    with pytest.raises(UserError, match="line 2 has 2 columns"):
        write_candidates(**files, withdrawn=tmp_path / "withdrawn.txt")


def test_keep(files, tmp_path):
    write_candidates(**files, keep=table(tmp_path / "keep.tsv", ["c", "d", "d", "q"]))
    written = read_candidates(files["output"])
    assert analysed(written)["iid"].tolist() == ["c", "d"]
    assert written.set_index("iid")["keep"].to_dict()["q"] == 1


@pytest.mark.parametrize("source", ["images_table", "keep"])
def test_no_overlap_is_told_by_counts_and_shapes(files, tmp_path, source):
    fam(tmp_path / "chr1.fam", ["HG00096", "HG00097"])
    fam(tmp_path / "chr2.fam", ["HG00096", "HG00097"])
    other = table(tmp_path / "other.tsv", ["1000014", "1000015", "1000016"])
    with pytest.raises(UserError) as error:
        write_candidates(**{"genotypes": files["genotypes"], "output": files["output"], source: other})
    assert "(2 samples, IDs of HG and 5 digits)" in str(error.value)
    assert "(3 samples, IDs of 7 digits)" in str(error.value)
    assert "1000014" not in str(error.value)
    assert not files["output"].exists()


def test_fam_files_that_differ(files, tmp_path):
    fam(tmp_path / "chr2.fam", "abce")
    with pytest.raises(UserError, match=r"differ in 2 samples: all files of the genotypes"):
        write_candidates(**files)


@pytest.mark.parametrize("text", ["﻿a\nz\n", '"a"\n"z"\n', "a,\nz,\n"])
def test_withdrawn_lists_as_spreadsheets_write_them(files, tmp_path, text):
    (tmp_path / "withdrawn.csv").write_text(text, encoding="utf-8")
    write_candidates(**files, withdrawn=tmp_path / "withdrawn.csv")
    assert not {"a", "z"} & set(read_candidates(files["output"])["iid"])


def test_a_withdrawn_list_that_matches_nobody_is_warned_of(files, tmp_path, caplog):
    (tmp_path / "withdrawn.txt").write_text("1000014\n1000015\n")
    write_candidates(**files, withdrawn=tmp_path / "withdrawn.txt")
    assert "nobody of samples.withdrawn is in the inputs: its IDs have 7 digits" in caplog.text


def test_samples_of_any_format(files, tmp_path):
    (tmp_path / "chr1.psam").write_text("#IID\tSEX\n" + "".join(f"{name}\t2\n" for name in "abcd"))
    (tmp_path / "chr2.sample").write_text(
        "ID_1 ID_2 missing sex\n0 0 0 D\n" + "".join(f"{n} {n} 0 2\n" for n in "dcba")
    )
    files["genotypes"] = [tmp_path / "chr1.psam", tmp_path / "chr2.sample"]
    write_candidates(**files)
    written = read_candidates(files["output"]).set_index("iid")
    assert written.index[written["genotypes"] == 1].tolist() == ["a", "b", "c", "d"]
    assert written.loc["a", ["fid", "sex"]].tolist() == ["a", 2]
