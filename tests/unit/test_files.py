"""Atomic files, and error messages of text tables."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.runtime.atomic_files import private_folder, replacing, replacing_folder, sweep, write_parquet, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_blocks, read_column, read_header, read_table


def test_an_interrupted_file_is_absent_and_leaves_the_old_one(tmp_path):
    target = tmp_path / "new" / "a.tsv"
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with replacing(target) as temporary:
        assert temporary.suffix == ".tsv"
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert len(list(target.parent.iterdir())) == 1


@given(
    st.lists(
        st.tuples(st.from_regex(r"[A-Z]{0,2}[0-9]{1,7}", fullmatch=True), st.floats(-1e6, 1e6)), min_size=1, max_size=20
    )
)
def test_tables_come_back_as_they_were(tmp_path_factory, rows):
    table = pd.DataFrame(rows, columns=["iid", "value"])
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    write_tsv(table, path)
    back = read_table(path, ["iid"])
    assert back["iid"].tolist() == table["iid"].tolist(), "IDs stay strings, leading zeros too"
    assert back["value"].astype(float).tolist() == pytest.approx(table["value"].tolist())


def test_headers_are_read_as_samples_write_them(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("#FID IID AGE group\n1 007 50 a\n1 008 NA b\n")
    table = read_table(path, ["iid", "age"])
    assert table.columns.tolist() == ["fid", "iid", "age", "group"]
    assert table["iid"].tolist() == ["007", "008"]
    assert table["age"].isna().tolist() == [False, True]
    assert table["group"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'IID,age,site\n007,50,a b\n008,,"c, d"\n'),
        ("t.txt", 'IID,age,site\n007,50,a b\n008,,"c, d"\n'),
        ("t.csv", '\n"IID","age","site"\n007,50,a b\n008,NA,"c, d"\n'),
        ("t.csv", "IID\tage\tsite\n007\t50\ta b\n008\t\tc, d\n"),
    ],
)
def test_commas_separate_too(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    table = read_table(tmp_path / name, ["iid"])
    assert table.columns.tolist() == ["iid", "age", "site"] == [one.lower() for one in read_header(tmp_path / name)]
    assert table["iid"].tolist() == ["007", "008"] and table["site"].tolist() == ["a b", "c, d"]
    assert table["age"].isna().tolist() == [False, True]
    assert read_column(tmp_path / name, ["iid", "age", "site"], 2).tolist() == ["a b", "c, d"]
    lines, keys, values = next(read_blocks(tmp_path / name, ["iid", "age", "site"], 0, [1], 9))
    assert lines[1] - lines[0] == 1 and keys.tolist() == ["007", "008"]
    assert values[1].tolist()[0] == 50 and np.isnan(values[1].tolist()[1])


def test_white_space_separates_names_with_commas(tmp_path):
    (tmp_path / "t.txt").write_text("iid age,years\n007 50\n")
    assert read_table(tmp_path / "t.txt", ["iid"]).columns.tolist() == ["iid", "age,years"]


@given(st.lists(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=9))
def test_blocks_of_any_size_hold_every_row_once(tmp_path_factory, rows):
    table = pd.DataFrame(rows, columns=["a", "b", "c"], dtype=float)
    table.insert(1, "iid", [f"0{number}" for number in range(len(rows))])
    path = tmp_path_factory.mktemp("blocks") / "t.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="NA")
    for size in (1, 2, 100):
        blocks = [*read_blocks(path, read_header(path), 1, [3, 0], size)]
        assert [line for lines, _, _ in blocks for line in lines] == [*range(2, len(rows) + 2)]
        assert [key for _, keys, _ in blocks for key in keys] == table["iid"].tolist()
        values = np.concatenate([values.to_numpy() for _, _, values in blocks])
        np.testing.assert_allclose(values, table[["c", "a"]])


@pytest.mark.parametrize("blank", ["\t\t", "\t", "  ", ",,", " , , ", ""])
@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_lines_with_only_separators_are_blank(tmp_path, separator, blank):
    """In the middle of the table and at its end; of commas in a table of commas only."""
    if "," in blank and separator != ",":
        blank = ""
    rows = [["iid", "a", "b"], ["01", "1", "2"], ["02", "3", "4"]]
    lines = [separator.join(row) for row in rows]
    path = tmp_path / "t.txt"
    path.write_text("\n".join([*lines[:2], blank, lines[2], blank, blank]) + "\n")
    names = read_header(path)
    (where, keys, values), *more = read_blocks(path, names, 0, [1, 2], 9)
    assert not more and where == [2, 4]
    assert read_column(path, names, 0).tolist() == keys.tolist() == ["01", "02"]
    assert values.to_numpy().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("iid\tGroup\tgroup\n1\t2\t3\n", "has the columns Group, group, which differ only in case"),
        ("IID\tiid\tgroup\n1\t2\t3\n", "has the columns IID, iid, which differ"),
        ("id\tx\n1\t2\n", "has no column iid"),
        ("iid\tx\n1\t2\n2\t3\t4\n", "line 3"),
    ],
)
def test_broken_tables(tmp_path, text, sentence):
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_table(path, ["iid", "group"] if "group" in text else ["iid"])


def test_a_missing_file_names_its_key(tmp_path):
    with pytest.raises(UserError, match=r"does not exist: correct samples.keep"):
        read_table(tmp_path / "none.tsv", ["iid"], "samples.keep")


def test_private_files_are_private(tmp_path):
    folder = private_folder(tmp_path / "private")
    assert folder.stat().st_mode & 0o777 == 0o700
    write_parquet(pd.DataFrame({"iid": ["1"]}), folder / "a.parquet")
    assert pd.read_parquet(folder / "a.parquet")["iid"].tolist() == ["1"]


def test_folders_above_the_nearest_private_one_stay_as_they_are(tmp_path):
    study = tmp_path / "private" / "study" / "results"
    study.mkdir(parents=True)
    above = (study, study.parent, study.parent.parent)
    for folder in above:
        folder.chmod(0o755)
    made = private_folder(study / "private" / "tasks" / "samples")
    assert [folder.stat().st_mode & 0o777 for folder in (made, made.parent, made.parent.parent)] == [0o700] * 3
    assert [folder.stat().st_mode & 0o777 for folder in above] == [0o755] * 3


def test_hashes_that_look_like_numbers_are_text(tmp_path):
    path = tmp_path / "t.tsv"
    rows = ["1e99999999999\t007\t1\t1e3", "4e7\t8\t2\t.5", "12\t9\t3\t-2.25e-300"]
    path.write_text("hash\tcode\tlead_id\tnumber\n" + "\n".join(rows) + "\n")
    table = read_table(path)
    assert table["hash"].tolist() == ["1e99999999999", "4e7", "12"]
    assert table["code"].tolist() == ["007", "8", "9"]
    assert table["lead_id"].tolist() == ["1", "2", "3"]
    assert table["number"].tolist() == [1000.0, 0.5, -2.25e-300]


def test_names_that_are_numbers_stay_names(tmp_path):
    table = pd.DataFrame({"best_feature": ["3", "007", ""], "feature": ["3", "", "12"], "value": [1, 2, 3]})
    write_tsv(table, tmp_path / "t.tsv")
    found = read_table(tmp_path / "t.tsv", text=["feature"])
    assert found["best_feature"].tolist() == ["3", "007", ""] and found["feature"].tolist() == ["3", "", "12"]
    assert found["value"].tolist() == [1, 2, 3]


def test_an_interrupted_folder_is_absent_and_leaves_the_old_one(tmp_path):
    target = tmp_path / "new" / "folder"
    for old in (None, "old"):
        with pytest.raises(RuntimeError), replacing_folder(target) as temporary:
            (temporary / "a").write_text("half")
            raise RuntimeError
        assert [path.read_text() for path in target.parent.rglob("*") if path.is_file()] == ([old] if old else [])
        with replacing_folder(target) as temporary:
            (temporary / "b").write_text("old")
    with replacing_folder(target) as temporary:
        (temporary / "c").write_text("whole")
    assert {path.name for path in target.parent.rglob("*")} == {"folder", "c"}


def test_what_a_killed_process_left_of_a_file_is_swept_and_nothing_else(tmp_path):
    others = [tmp_path / name for name in (".0a1b.tmp.b.tsv", ".gitkeep", ".0a1b.tmp.xa.tsv", "a.tsv.tmp")]
    for path in (*others, tmp_path / ".0a1b.tmp.a.tsv", tmp_path / ".0a1b.old.a.tsv"):
        path.write_text("half")
    with replacing(tmp_path / "a.tsv") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.tsv", *(path.name for path in others)}
    for kind in ("tmp", "old"):
        (tmp_path / f".0a1b.{kind}.[x]").mkdir()
        (tmp_path / f".0a1b.{kind}.[x]" / "half").touch()
    with replacing_folder(tmp_path / "[x]"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a.tsv", "[x]", *(path.name for path in others)}
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tsv", "[x]", ".gitkeep", "a.tsv.tmp"}


def test_two_processes_never_share_a_temporary_name(tmp_path):
    with replacing(tmp_path / "a") as first:
        first.write_text("first")
        with replacing(tmp_path / "a", crowded=True) as second:
            assert second != first
            second.write_text("second")
        assert (tmp_path / "a").read_text() == "second"
    assert (tmp_path / "a").read_text() == "first"


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    """A machine that fails after the rename must not leave an empty file under the name of a finished one."""
    done = []
    flush, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: done.append(os.fstat(number).st_size) or flush(number))
    monkeypatch.setattr(Path, "replace", lambda path, target: done.append("renamed") or rename(path, target))
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("whole")
    assert done == [5, "renamed"]
    with replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "b").write_text("of a folder")
    assert done == [5, "renamed", 11]
