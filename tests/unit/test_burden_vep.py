"""VEP's annotations: its table in both forms, INFO/CSQ of a VCF, and what they are reduced to."""

import gzip

import pandas as pd
import pytest

from contigwas.burden.annotations import read_annotations
from contigwas.runtime.errors import UserError
from tests.modalities import burden_settings

FIXED = ["Uploaded_variation", "Location", "Allele", "Gene", "Feature", "Feature_type", "Consequence", "cDNA_position",
         "CDS_position", "Protein_position", "Amino_acids", "Codons", "Existing_variation"]  # fmt: skip
HEAD = "## ENSEMBL VARIANT EFFECT PREDICTOR v110.1\n## Output produced at 2026-01-01\n"
FORMAT = "Allele|Consequence|IMPACT|SYMBOL|Gene|Feature|LoF|REVEL"
VCF = (
    "##fileformat=VCFv4.2\n"
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">\n'
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. '
    f'Format: {FORMAT}">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
ROWS = [  # name, location, allele, gene's ID, consequence, impact, symbol, LoF, REVEL
    ("v1", "1:100", "A", "E1", "stop_gained", "HIGH", "G1", "HC", ""),
    ("v1", "1:100", "A", "E1", "missense_variant", "MODERATE", "G1", "", "0.1"),
    ("v1", "1:100", "A", "E2", "missense_variant&splice_region_variant", "MODERATE", "G2", "", "0.1&0.7&."),
    ("v2", "1:200", "T", "E1", "splice_donor_variant", "HIGH", "G1", "LC", ""),
    ("v3", "1:300", "T", "E1", "missense_variant", "MODERATE", "G1", "", "0.5"),
    ("v4", "1:400", "T", "E1", "missense_variant", "MODERATE", "G1", "", "0.49"),
    ("v5", "1:500", "T", "E1", "missense_variant", "MODERATE", "G1", "", ""),
    ("v6", "1:600", "T", "E1", "synonymous_variant", "LOW", "G1", "", ""),
    ("v7", "1:700", "T", "E1", "upstream_gene_variant", "MODIFIER", "G1", "", ""),
    ("v8", "1:800", "T", "-", "intergenic_variant", "MODIFIER", "-", "", ""),
]


def with_extra(rows=ROWS):
    lines = []
    for name, place, allele, gene, consequence, impact, symbol, lof, revel in rows:
        extra = {"IMPACT": impact, "SYMBOL": symbol, "LoF": lof, "REVEL": revel}
        reported = ";".join(f"{key}={value}" for key, value in extra.items() if value not in ("", "-"))
        lines.append(
            "\t".join([name, place, allele, gene, "T1", "Transcript", consequence, *["-"] * 6, reported or "-"])
        )
    return HEAD + "#" + "\t".join([*FIXED, "Extra"]) + "\n" + "\n".join(lines) + "\n"


def with_columns(rows=ROWS):
    lines = []
    for name, place, allele, gene, consequence, *own in rows:
        own = [one or "-" for one in own]
        lines.append("\t".join([name, place, allele, gene, "T1", "Transcript", consequence, *["-"] * 6, *own]))
    return HEAD + "#" + "\t".join([*FIXED, "IMPACT", "SYMBOL", "LoF", "REVEL"]) + "\n" + "\n".join(lines) + "\n"


def with_csq(rows=ROWS):
    entries = {}
    for name, place, allele, gene, consequence, impact, symbol, lof, revel in rows:
        entry = "|".join([allele, consequence, impact, symbol.strip("-"), gene.strip("-"), "T1", lof, revel])
        entries.setdefault((name, place, allele), []).append(entry)
    lines = [
        f"{place.replace(':', chr(9))}\t{name}\tG\t{allele}\t.\tPASS\tAC=1;CSQ={','.join(reported)};DB\tGT\t0/1"
        for (name, place, allele), reported in entries.items()
    ]
    return VCF + "\n".join(lines) + "\n"


def read(tmp_path, text, zipped=False, **vep):
    path = tmp_path / "annotations.txt"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    return read_annotations(path, burden_settings(vep=vep)["vep"])


def categories(table: pd.DataFrame) -> dict:
    return {(row.variant, row.gene): row.category for row in table.itertuples()}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", [with_extra, with_columns, with_csq])
def test_the_forms_say_the_same(tmp_path, form, zipped, caplog):
    caplog.set_level("INFO")
    found = categories(read(tmp_path, form(), zipped))
    assert found == {
        ("v1", "G1"): "LoF",
        ("v1", "G2"): "missense",
        ("v2", "G1"): "LoF",
        **{(f"v{number}", "G1"): "missense" for number in (3, 4, 5)},
        ("v6", "G1"): "synonymous",
    }
    assert "left out: 1 of other consequences, 1 without a gene" in caplog.text
    assert "2 LoF, 4 missense, 1 synonymous" in caplog.text


@pytest.mark.parametrize("form", [with_extra, with_columns, with_csq])
def test_scores_and_loftee_decide(tmp_path, form):
    found = categories(read(tmp_path, form(), score="REVEL", loftee=True))
    assert found == {
        ("v1", "G1"): "LoF",
        ("v1", "G2"): "missense",
        ("v2", "G1"): "LoF_LC",
        ("v3", "G1"): "missense",
        ("v4", "G1"): "missense_benign",
        ("v5", "G1"): "missense_unscored",
        ("v6", "G1"): "synonymous",
    }
    assert categories(read(tmp_path, form(), score="REVEL", min_score=0.4))["v4", "G1"] == "missense"


def test_genes_by_another_field(tmp_path):
    assert {gene for _, gene in categories(read(tmp_path, with_csq(), gene="Gene"))} == {"E1", "E2"}


def test_places_of_a_vcf(tmp_path):
    """No ID, several alleles, an insertion, deletions, no CSQ, two bases for two."""
    reported = "{}|stop_gained|HIGH|G1|E1|T1||".format
    text = VCF + (
        f"chr1\t100\t.\tG\tA\t.\t.\tCSQ={reported('A')}\n"
        f"1\t200\trs2\tG\tA,GT\t.\t.\tCSQ={reported('A')},{reported('GT')}\n"
        f"1\t300\trs3\tG\tGT\t.\t.\tCSQ={reported('T')}\n"
        f"1\t400\trs4\tGTC\tG,GA\t.\t.\tCSQ={reported('-')},{reported('A')}\n"
        "1\t500\trs5\tG\tA\t.\t.\tAC=1\n"
        f"1\t600\trs6\tGA\tGC\t.\t.\tCSQ={reported('GC')}\n"
    )
    found = read(tmp_path, text)
    assert found["variant"].tolist() == [
        "chr1:100:G:A", "1:200:G:A", "1:200:G:GT", "rs3", "1:400:GTC:G", "1:400:GTC:GA", "rs6",
    ]  # fmt: skip
    full = ["chr1:100:G:A", "1:200:G:A", "1:200:G:GT", "1:300:G:GT", "1:400:GTC:G", "1:400:GTC:GA", "1:600:GA:GC"]
    assert found["place"].tolist() == full


def test_places_of_a_table(tmp_path):
    row = ("E1", "stop_gained", "HIGH", "G1", "", "")
    rows = [("1_100_G/A", "1:100", "A", *row), ("1_201_-/T/TT", "1:200-201", "TT", *row), ("rs3", "1:300", "A", *row)]
    assert read(tmp_path, with_columns(rows))["place"].tolist() == ["1:100:G:A", "1:201:-:TT", ":::A"]
    text = with_columns(rows).replace("LoF\tREVEL", "LoF\tREF_ALLELE").replace("G1\t-\t-", "G1\t-\tG")
    assert read(tmp_path, text)["place"].tolist() == ["1:100:G:A", "1:201:-:TT", "1:300:G:A"]
    dots = [(".", "1:300", "A", *row), (".", "1:200-201", "T", *row)]
    text = with_columns(dots).replace("LoF\tREVEL", "LoF\tREF_ALLELE").replace("G1\t-\t-", "G1\t-\t-", 1)
    assert read(tmp_path, text.replace("HIGH\tG1\t-\t-\n.", "HIGH\tG1\t-\tG\n."))["variant"].tolist() == [
        "1:300:G:A", "1:201:-:T",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "vep", "reported"),
    [
        (VCF.replace("ID=CSQ", "ID=ANN") + "1\t1\tv\tA\tC\t.\t.\tAC=1\n", {}, "no header line of INFO/CSQ"),
        (VCF.replace("SYMBOL|", ""), {}, "has no field SYMBOL .it has Allele, Consequence.*--symbol"),
        (with_csq(), {"score": "CADD"}, "has no field CADD .it has Allele"),
        (with_csq().replace("|LoF|", "|LOF|"), {"loftee": True}, "has no field LoF"),
        (with_csq().replace("|T1|", "|"), {}, "line 5: CSQ has 7 fields where its format has 8"),
        (VCF + "1\t1\tv\n", {}, "line 5 has fewer than eight columns"),
        (VCF, {}, "no variant with a gene in SYMBOL and a coding consequence"),
        (with_columns().replace("\tSYMBOL", "\tNAME"), {}, "has no field SYMBOL .it has Uploaded_variation"),
        (with_extra().replace("SYMBOL=", "NAME="), {}, "has no field SYMBOL"),
        (with_extra(), {"score": "CADD_PHRED"}, "has no field CADD_PHRED .it has Allele, "),
        (with_columns().replace("v2\t", "v2\t\t"), {}, "line 7 has 18 columns where the header has 17"),
        (HEAD + "v1\t1:100\n", {}, "line 3 comes before the header"),
    ],
)
def test_malformed_files(tmp_path, text, vep, reported):
    with pytest.raises(UserError, match=reported) as error:
        read(tmp_path, text, **vep)
    assert "annotations.txt" in str(error.value)


@pytest.mark.parametrize("form", [with_extra, with_columns, with_csq])
def test_a_file_cut_short(tmp_path, form):
    path = tmp_path / "annotations.vcf"
    path.write_bytes(gzip.compress(form(ROWS * 300).encode())[:-40])
    with pytest.raises(UserError, match=r"annotations.vcf is a gzipped file that is cut short"):
        read_annotations(path, burden_settings()["vep"])
