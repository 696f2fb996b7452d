"""Genes of a locus."""

import pytest

from contigwas.errors import UserError
from contigwas.loci.genes import genes_of, read_genes


def write(path, text):
    path.write_text(text)
    return path


@pytest.fixture
def genes(tmp_path):
    text = "chr1 100 200 A\n1\t150\t400\tB\textra\n# comment\n1 900 950 C\n1 100 120 A\n2 1 5 D\n"
    return read_genes(write(tmp_path / "genes.txt", text))


def test_overlap_nearest_to_the_lead_first(genes):
    assert genes_of(genes, "1", 180, 300, 290) == "B,A"
    assert genes_of(genes, "1", 90, 300, 100) == "A,B"
    assert genes_of(genes, "1", 200, 200, 200) == "A,B"


def test_otherwise_the_nearest_with_its_distance(genes):
    assert genes_of(genes, "1", 500, 600, 550) == "B (100 bp)"
    assert genes_of(genes, "1", 800, 880, 810) == "C (20 bp)"
    assert genes_of(genes, "3", 1, 2, 1) == ""


def test_header_and_bed_lines(tmp_path):
    path = write(tmp_path / "genes.bed", "track name=x\nchrom\tstart\tend\tname\n1\t0\t5\tA\n")
    assert read_genes(path)["name"].tolist() == ["A"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 100 200 A\n1 100 B\n", "line 2: expected chrom start end name"),
        ("1 x 200 A\n", "line 1"),
        ("1 300 200 A\n", "line 1: the gene ends before it starts"),
        ("# nothing\n", "lists no gene"),
    ],
)
def test_lists_that_are_none(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_genes(write(tmp_path / "genes.txt", text))


def test_no_list(tmp_path):
    with pytest.raises(UserError, match="does not exist: correct loci.genes"):
        read_genes(tmp_path / "genes.txt")


def test_the_real_list(shared_data):
    genes = read_genes(shared_data / "genes" / "glist-hg19.txt")
    assert len(genes) == 26292
    assert "HERC2" in genes_of(genes, "15", 28365618, 28365618, 28365618)
