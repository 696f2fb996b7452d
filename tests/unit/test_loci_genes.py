"""Genes of a locus."""

import gzip

import pytest

from contigwas.loci.genes import genes_of, read_genes
from contigwas.runtime.errors import UserError


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


def test_nearest_gene_with_its_distance(genes):
    assert genes_of(genes, "1", 500, 600, 550) == "B (100 bp)"
    assert genes_of(genes, "1", 800, 880, 810) == "C (20 bp)"
    assert genes_of(genes, "3", 1, 2, 1) == ""


BED = "track name=x\nchrom\tstart\tend\tname\n1\t0\t5\tA\n1\t9\t10\tB\n"
GTF = """#!genome-build GRCh38.p14
1\tensembl\tgene\t11\t20\t.\t+\t.\tgene_id "ENSG1"; gene_version "5"; gene_name "A"; gene_biotype "protein_coding";
1\tensembl\ttranscript\t11\t15\t.\t+\t.\tgene_id "ENSG1"; transcript_id "T"; gene_name "A";
chrX\tensembl\tgene\t30\t30\t.\t-\t.\tgene_id "ENSG2"; gene_biotype "lncRNA";
"""


def test_a_bed_file_counts_from_0(tmp_path):
    path = write(tmp_path / "genes.bed", BED)
    assert read_genes(path).values.tolist() == [["1", 1, 5, "A", ""], ["1", 10, 10, "B", ""]]
    genes = read_genes(path)
    # Bases 6 and 9 lie 1 base from either gene, base 10 is in the second.
    assert [genes_of(genes, "1", base, base, base) for base in (5, 6, 9, 10)] == ["A", "A (1 bp)", "B (1 bp)", "B"]
    plain = read_genes(write(tmp_path / "genes.txt", BED.replace("\t0\t", "\t1\t")))
    assert plain["start"].tolist() == [1, 9], "any other list counts from 1"


def test_an_empty_gene_of_a_bed_file(tmp_path):
    with pytest.raises(UserError, match="line 1: the gene ends before it starts"):
        read_genes(write(tmp_path / "genes.bed", "1\t5\t5\tA\n"))


@pytest.mark.parametrize("name", ["genes.gtf", "genes.GTF.gz"])
def test_the_genes_of_a_gtf(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(GTF.encode()) if name.endswith("gz") else GTF.encode())
    genes = read_genes(path, "GRCh38")
    assert genes.values.tolist() == [["1", 11, 20, "A", "+"], ["X", 30, 30, "ENSG2", "-"]]


def test_identifiers_on_request(tmp_path):
    assert read_genes(write(tmp_path / "genes.gtf", GTF), ids=True)["id"].tolist() == ["ENSG1", "ENSG2"]
    assert read_genes(write(tmp_path / "genes.bed", BED), ids=True)["id"].tolist() == ["A", "B"]


def test_gzipped_lists(tmp_path):
    (tmp_path / "genes.bed.gz").write_bytes(gzip.compress(BED.encode()))
    assert read_genes(tmp_path / "genes.bed.gz")["start"].tolist() == [1, 10]
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(BED.encode() * 50)[:-20])
    with pytest.raises(UserError, match="not a complete gzip file"):
        read_genes(tmp_path / "cut.txt.gz")
    (tmp_path / "plain.txt.gz").write_text(BED)
    with pytest.raises(UserError, match="not a complete gzip file"):
        read_genes(tmp_path / "plain.txt.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GTF.replace("\tgene\t", "\texon\t"), "no gene found. Supply a file with lines of type gene"),
        (GTF.replace('gene_id "ENSG2"', 'id "ENSG2"'), "line 4: expected nine columns, the last with gene_name"),
        (GTF.replace("\t30\t30", "\t30\t29"), "line 4: the gene ends before it starts"),
    ],
)
def test_invalid_gtf_files(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_genes(write(tmp_path / "genes.gtf", text))


@pytest.mark.parametrize(
    ("name", "first", "declared", "refused"),
    [
        ("genes.gtf", "#!genome-build GRCh38.p14\n", None, "the header names build GRCh38"),
        (
            "genes.gtf",
            "##description: the human genome (GRCh38), version 44\n",
            "GRCh37",
            "the header names build GRCh38",
        ),
        ("genes.bed", "track db=hg38\n", None, "the header names build GRCh38"),
        ("glist-hg38.txt", "", None, "the file name names build .* or set loci.genes_build: GRCh37"),
        ("glist-hg38.txt", "", "GRCh37", None),
        ("glist-hg38.txt", "# lifted to hg19\n", None, None),
        ("hg19_to_hg38.txt", "", None, None),
        ("glist-hg19.txt", "", None, None),
        ("gencode.v38.txt", "", None, None),
    ],
)
def test_gene_lists_of_another_build(tmp_path, name, first, declared, refused):
    line = '1\tx\tgene\t1\t5\t.\t+\t.\tgene_id "A";\n' if name.endswith("gtf") else "1\t1\t5\tA\n"
    path = write(tmp_path / name, first + line)
    if refused is None:
        assert len(read_genes(path, "GRCh37", declared)) == 1
    else:
        with pytest.raises(UserError, match=refused):
            read_genes(path, "GRCh37", declared)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 100 200 A\n1 100 B\n", "line 2: expected chrom start end name"),
        ("1 x 200 A\n", "line 1"),
        ("1 300 200 A\n", "line 1: the gene ends before it starts"),
        ("# nothing\n", "no gene found"),
    ],
)
def test_invalid_gene_lists(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_genes(write(tmp_path / "genes.txt", text))


def test_no_list(tmp_path):
    with pytest.raises(UserError, match="does not exist: correct loci.genes"):
        read_genes(tmp_path / "genes.txt")


def test_the_real_list(shared_data):
    genes = read_genes(shared_data / "genes" / "glist-hg19.txt")
    assert len(genes) == 26292
    assert "HERC2" in genes_of(genes, "15", 28365618, 28365618, 28365618)


def test_strands(tmp_path):
    text = "1 0 5 A 0 -\n1 7 9 B 0 +\n1 7 9 C\n1 7 9 D 0 .\n"
    assert read_genes(write(tmp_path / "genes.bed", text))["strand"].tolist() == ["-", "+", "", ""]
    assert read_genes(write(tmp_path / "genes.txt", "1 1 5 A +\n"))["strand"].tolist() == ["+"]
    line = 'chr1\tx\tgene\t1\t5\t.\t-\t.\tgene_id "A"; gene_name "B";\n'
    assert read_genes(write(tmp_path / "genes.gtf", line))["strand"].tolist() == ["-"]
