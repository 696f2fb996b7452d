"""GWAS-SSF files against the GWAS Catalog's own validator, and what it must refuse so that the test can fail."""

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pytest

from contigwas.export.gwas_ssf import COLUMNS, write_gwas_ssf
from tests.export_files import random_table, write_gwas_files

CHROMOSOMES = [*map(str, range(1, 23)), "X"]
METADATA = {
    "genotyping_technology": ["Genome-wide genotyping array"],
    "sample_ancestry_category": ["European"],
    "ancestry_method": ["genetically determined"],
    "sex": "combined",
    "author_notes": "a test: with a colon, 'quotes' and ünicode",
}
PARSE = """
import sys, yaml
from gwas_sumstats_tools.schema.metadata import SumStatsMetadata
model = SumStatsMetadata.parse_obj(yaml.safe_load(open(sys.argv[1], encoding="utf-8")))
assert set(yaml.safe_load(open(sys.argv[1], encoding="utf-8"))) <= set(SumStatsMetadata.__fields__)
print(model.data_file_md5sum, model.samples[0].sample_size, model.file_type)
"""


@pytest.fixture(scope="module")
def validate(validator):
    """A function: what the validator says of a file, and whether it accepts it."""
    program = validator("gwas-ssf")

    def run(path: Path, rows: int = 100) -> tuple[bool, str]:
        command = [program, "validate", str(path), "--min-rows", str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        accepted = "Validation status: True" in done.stdout
        assert accepted or "Validation status: False" in done.stdout, done.stdout + done.stderr
        assert accepted == (done.returncode == 0)
        return accepted, done.stdout

    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The export of 23 chromosomes with two features, with rows that the standard cannot express."""
    folder = tmp_path_factory.mktemp("ssf")
    tables = {}
    for seed, chrom in enumerate(CHROMOSOMES):
        table = random_table(seed, chrom, 40, ["PC1", "HDL/LDL ratio"], ("HDL/LDL ratio",))
        table.loc[0, ["beta_PC1", "se_PC1", "log10p_PC1"]] = np.nan
        table.loc[0, "flag"] = "MONOMORPHIC"
        table.loc[1, "effect_allele"], table.loc[2, "other_allele"] = "<INS:ME>", "N"
        table.loc[3, "other_allele"] = "ACGTACGT" * 20
        table.loc[4, "id"], table.loc[5, "id"] = ".", f"{chrom}:5:A:G"
        table.loc[6, "log10p_PC1"], table.loc[7, "log10p_PC1"] = 412.5, 0.0
        table.loc[8, ["beta_PC1", "se_PC1", "log10p_PC1"]] = np.nan
        table.loc[9, "beta_PC1"] = 1e-30
        tables[chrom] = table
    gwas = write_gwas_files(folder / "gwas", dict(reversed(tables.items())))
    settings = {"features": None, "build": "GRCh37", **METADATA}
    write_gwas_ssf(gwas, "contig", settings, folder / "out")
    return folder / "out"


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_the_catalogs_validator_accepts_every_file(exported, validate):
    files = sorted(exported.glob("*.tsv.gz"))
    assert len(files) == 2
    for path in files:
        accepted, text = validate(path)
        assert accepted, text
    assert len(lines(exported / "PC1.tsv.gz")) == 1 + 23 * 36
    accepted, text = validate(exported / "PC1.tsv.gz", rows=1000)
    assert not accepted and "fewer than the minimum rows" in text


def test_the_metadata_is_that_of_the_standard(exported, validator):
    python = str(Path(validator("gwas-ssf")).with_name("python"))
    for path in exported.glob("*-meta.yaml"):
        done = subprocess.run([python, "-c", PARSE, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[1:] == ["500" if path.name.startswith("PC1") else "300", "GWAS-SSF", "v1.0"]


def cell(column: str, value: str):
    place = COLUMNS.index(column)

    def change(rows: list[str]) -> list[str]:
        cells = rows[50].split("\t")
        cells[place] = value
        return [*rows[:50], "\t".join(cells), *rows[51:]]

    return change


def swapped(rows: list[str]) -> list[str]:
    return ["\t".join([*row.split("\t")[1::-1], *row.split("\t")[2:]]) for row in rows]


CORRUPTIONS = {
    "columns in another order": swapped,
    "no chromosome 7": lambda rows: [row for row in rows if not row.startswith("7\t")],
    "an X": lambda rows: [row.replace("23\t", "X\t", 1) if row.startswith("23\t") else row for row in rows],
    "an allele that is no nucleotide": cell("effect_allele", "<DEL>"),
    "a beta that is missing": cell("beta", "#NA"),
    "a standard error that is missing": cell("standard_error", "NA"),
    "a frequency above 1": cell("effect_allele_frequency", "1.2"),
    "a -log10 p below 0": cell("neg_log_10_p_value", "-1"),
    "a -log10 p of 0, which is why LEAST_LOG10P is": cell("neg_log_10_p_value", "0"),
    "an identifier that is no rs number": cell("rsid", "7:123:A:G"),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corrupted_file_is_refused(corruption, exported, validate, tmp_path):
    rows = CORRUPTIONS[corruption](lines(exported / "PC1.tsv.gz"))
    path = tmp_path / "PC1.tsv.gz"
    path.write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
    accepted, text = validate(path)
    assert not accepted, text
