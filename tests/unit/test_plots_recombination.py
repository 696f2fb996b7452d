"""Recombination maps: the formats in use give the same rates, and mistakes are reported with their line."""

import gzip

import numpy as np
import pytest

from contigwas.plots.recombination import inside, read_map
from contigwas.runtime.errors import UserError

HAPMAP = """Chromosome Position(bp) Rate(cM/Mb) Map(cM)
chr1 1000000 2.0 0.0
chr1 2000000 0.5 2.0
chr1 4000000 0.0 3.0
chr2 500 9.0 0.0
"""
PLINK = "1 . 0.0 1000000\n1 rs1 2.0 2000000\n1 . 3.0 4000000\n2 . 0 500\n"
THREE = "position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n1000000 2.0 0.0\n2000000 0.5 2.0\n4000000 0 3\n"


@pytest.mark.parametrize(
    ("name", "text"), [("map.txt", HAPMAP), ("all.map", PLINK), ("chr{chrom}.txt", THREE), ("map.txt.gz", HAPMAP)]
)
def test_the_formats_agree(tmp_path, name, text):
    path = tmp_path / name.replace("{chrom}", "1")
    path.write_bytes(gzip.compress(text.encode())) if name.endswith("gz") else path.write_text(text)
    rates = read_map(tmp_path / name, "1")
    assert rates["pos"].tolist() == [1_000_000, 2_000_000, 4_000_000]
    np.testing.assert_allclose(rates["rate"], [2.0, 0.5, 0.0])


def test_a_chromosome_that_the_map_has_not(tmp_path):
    (tmp_path / "map.txt").write_text(HAPMAP)
    assert read_map(tmp_path / "map.txt", "3").empty
    assert [len(one) for one in inside(read_map(tmp_path / "map.txt", "3"), 0, 10)] == [0, 0]


def test_steps_inside_a_window_carry_the_genetic_length(tmp_path):
    (tmp_path / "map.txt").write_text(HAPMAP)
    rates = read_map(tmp_path / "map.txt", "1")
    for start, end, centimorgans in ((1_500_000, 2_500_000, 1.25), (0, 1_500_000, 1.0), (2_100_000, 2_200_000, 0.05)):
        pos, rate = inside(rates, start, end)
        assert (pos[0], pos[-1]) == (start, end)
        assert (np.diff(pos) / 1e6 * rate[:-1]).sum() == pytest.approx(centimorgans)
    assert not len(inside(rates, 5_000_000, 6_000_000)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no recombination map"),
        ("1 2\n3 4\n", "is no recombination map: expected a header that names chrom, pos and rate"),
        ("chr start rate\n1 5 2\n", "names no column of positions"),
        ("pos rate\n5 2\n", "has no column of chromosomes"),
        ("chr pos rate\n1 5 2\n1 x 2\n", "line 3: a position and a rate are expected"),
        ("chr pos rate\n1 5 -2\n", "line 2"),
        ("1 . 0 100\n1 . -1 200\n", "line 2: a position and a cm"),
        ("1 . 5 100\n1 . 1 200\n", "genetic positions fall"),
    ],
)
def test_what_is_no_map(tmp_path, text, message):
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        read_map(tmp_path / "map.txt", "1")


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"chr7\.map does not exist: correct plots\.recombination"):
        read_map(tmp_path / "chr{chrom}.map", "7")
