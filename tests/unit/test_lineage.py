"""The small files that training depends on."""

import json

import pytest

from contigwas.runtime.errors import UserError
from contigwas.runtime.training_inputs import PIECE, PIECES, ready_bytes, require_made, write_lineage, write_ready


def test_a_lineage_names_files_settings_and_code(tmp_path):
    origin = tmp_path / "chr1.bed"
    origin.write_bytes(b"12345")
    made_with = {"snps": {"settings": {"stride": 10}, "code": "ab"}}
    write_lineage([origin], made_with, tmp_path / "snps.json")
    found = json.loads((tmp_path / "snps.json").read_text())
    assert found["made_with"] == made_with
    assert [(one["path"], one["bytes"]) for one in found["origins"]] == [(str(origin), 5)]


@pytest.mark.parametrize("size", [100, PIECES * PIECE, PIECES * PIECE + 12_345])
def test_other_content_of_the_same_size_is_another_lineage(size, tmp_path):
    digests, width = set(), max(1, size // 1000)
    for place in (None, 0, size // 2, size - width):
        content = bytearray(size)
        if place is not None:
            content[place : place + width] = b"x" * width
        (tmp_path / "chr1.bed").write_bytes(content)
        write_lineage([tmp_path / "chr1.bed"], {}, tmp_path / "people.json")
        digests.add(json.loads((tmp_path / "people.json").read_text())["origins"][0]["digest"])
    assert len(digests) == 4


def test_ready_files_tell_how_large_the_part_is(tmp_path):
    for name, size in (("images.npy", 1000), ("images.parquet", 24)):
        (tmp_path / name).write_bytes(b"x" * size)
    write_ready([tmp_path / "images.npy", tmp_path / "images.parquet"], tmp_path / "images.ready")
    assert ready_bytes(tmp_path / "images.ready") == 1024


def test_a_part_that_somebody_deleted_is_told_with_the_remedy(tmp_path):
    (tmp_path / "cohort.tsv").touch()
    require_made([tmp_path / "cohort.tsv"])
    with pytest.raises(UserError, match=r"snps\.h5ad is gone: remove results/lineage/\*\.ready"):
        require_made([tmp_path / "cohort.tsv", tmp_path / "snps.h5ad"])
