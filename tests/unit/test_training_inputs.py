"""The small files that training depends on."""

import json

import pytest

from contigwas.runtime.errors import UserError
from contigwas.runtime.training_inputs import PIECE, PIECES, ready_bytes, require_files, write_digest, write_ready


def test_a_digest_lists_files_settings_and_code(tmp_path):
    external = tmp_path / "chr1.bed"
    external.write_bytes(b"12345")
    producing = {"snps": {"settings": {"stride": 10}, "code": "ab"}}
    write_digest([external], producing, tmp_path / "snps.json")
    found = json.loads((tmp_path / "snps.json").read_text())
    assert found["producing_rules"] == producing
    assert [(one["path"], one["bytes"]) for one in found["external_inputs"]] == [(str(external), 5)]


@pytest.mark.parametrize("size", [100, PIECES * PIECE, PIECES * PIECE + 12_345])
def test_other_content_of_the_same_size_changes_the_digest(size, tmp_path):
    digests, width = set(), max(1, size // 1000)
    for place in (None, 0, size // 2, size - width):
        content = bytearray(size)
        if place is not None:
            content[place : place + width] = b"x" * width
        (tmp_path / "chr1.bed").write_bytes(content)
        write_digest([tmp_path / "chr1.bed"], {}, tmp_path / "samples.json")
        digests.add(json.loads((tmp_path / "samples.json").read_text())["external_inputs"][0]["digest"])
    assert len(digests) == 4


def test_ready_files_hold_the_size_of_their_part(tmp_path):
    for name, size in (("images.npy", 1000), ("images.parquet", 24)):
        (tmp_path / name).write_bytes(b"x" * size)
    write_ready([tmp_path / "images.npy", tmp_path / "images.parquet"], tmp_path / "images.ready")
    assert ready_bytes(tmp_path / "images.ready") == 1024


def test_a_missing_training_input_is_reported_with_the_fix(tmp_path):
    (tmp_path / "cohort.tsv").touch()
    require_files([tmp_path / "cohort.tsv"])
    with pytest.raises(UserError, match=r"snps\.h5ad is missing: remove results/training_inputs/\*\.ready"):
        require_files([tmp_path / "cohort.tsv", tmp_path / "snps.h5ad"])
