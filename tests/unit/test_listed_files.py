"""The digest of the files that a table lists."""

import os

import pytest

from contigwas.images.listed_files import files_digest, table_digest


@pytest.fixture
def table(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"images/{name}.png").write_bytes(b"12345")
    (tmp_path / "images.tsv").write_text("iid\tpath\n1\timages/a.png\n2\timages/b.png\n")
    return tmp_path / "images.tsv"


def test_a_replaced_file_of_the_same_size_changes_the_digest(table):
    before, image = table_digest(table), table.parent / "images/a.png"
    assert table_digest(table) == before
    status = image.stat()
    image.write_bytes(b"54321")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert table_digest(table) != before


def test_a_replaced_file_of_another_size_changes_the_digest_although_its_time_is_kept(table):
    before, image = table_digest(table), table.parent / "images/a.png"
    status = image.stat()
    image.write_bytes(b"123456")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert table_digest(table) != before


def test_files_that_the_table_does_not_list_and_times_of_the_table_do_not_count(table):
    before = table_digest(table)
    (table.parent / "images/c.png").touch()
    os.utime(table)
    assert table_digest(table) == before


def test_a_missing_folder_is_a_state_of_its_files(table):
    before = table_digest(table)
    (table.parent / "images").rename(table.parent / "elsewhere")
    missing = table_digest(table)
    assert missing not in (before, None)
    (table.parent / "elsewhere").rename(table.parent / "images")
    assert table_digest(table) == before


@pytest.mark.parametrize("content", [None, "", "iid\n1\t2\t3\n", b"\xff\x00\x1f"])
def test_a_table_that_cannot_be_read_has_no_digest_and_no_traceback(content, table):
    table.unlink()
    if content is not None:
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert table_digest(table) in (None, files_digest([]))


def test_a_pattern_is_filled_with_the_column(table):
    (table.parent / "labels.tsv").write_text("name\tlabel\na\t1\nb\t0\n")
    found = table_digest(table.parent / "labels.tsv", ["name"], "images/{id}.png")
    assert found == table_digest(table)


def test_several_columns(table):
    table.write_text("iid\tImage\tmask\n1\timages/a.png\timages/b.png\n")
    both = [table.parent / f"images/{name}.png" for name in ("a", "b")]
    assert table_digest(table, ["image", "path", "mask"]) == files_digest(both)
