"""Features common to all exports: results, rows, file names, and atomic folders."""

import errno
import gzip
import math
import os
import string
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.export.folder import file_name
from contigwas.export.gwas_ssf import write_gwas_ssf
from contigwas.export.ldsc import write_ldsc
from contigwas.export.plink2 import write_plink2
from contigwas.export.results import Result, frames, select_results
from contigwas.export.text import number, p_value
from contigwas.runtime.errors import UserError
from tests.export_files import random_table, write_gwas_files

SSF = {"features": None, "build": "GRCh37"}
WRITERS = {
    "ssf": lambda gwas, output, features=None: write_gwas_ssf(gwas, "m", {**SSF, "features": features}, output),
    "plink2": lambda gwas, output, features=None: write_plink2(gwas, {"features": features, "log10_p": False}, output),
    "ldsc": lambda gwas, output, features=None: write_ldsc(gwas, {"features": features}, output),
}


@pytest.fixture
def gwas(tmp_path):
    """Three chromosomes, not in the order of the genome, with two features; the second misses samples."""
    tables = {
        chrom: random_table(seed, chrom, 50, ["PC1", "PC2"], ("PC2",))
        for seed, chrom in enumerate(("10", "X", "2"), start=1)
    }
    return write_gwas_files(tmp_path / "gwas", tables)


def test_frames_follow_the_genome_and_have_the_features_own_n(gwas):
    parts = list(frames(gwas, Result("PC2", False)))
    assert len(parts) == 3 * 4, "row groups of 16 in 50 rows"
    together = pd.concat(parts, ignore_index=True)
    source = pd.concat([pd.read_parquet(gwas[chrom]) for chrom in ("2", "10", "X")], ignore_index=True)
    for name in ("chrom", "pos", "id", "effect_allele", "eaf", "flag"):
        assert together[name].equals(source[name]), name
    assert together["n"].equals(source["n_PC2"].rename("n"))
    assert together["beta"].equals(source["beta_PC2"].rename("beta"))
    assert pd.concat(frames(gwas, Result("PC1", False)), ignore_index=True)["n"].equals(source["n"])
    assert list(next(frames(gwas, Result("manova", True))).columns)[-2:] == ["flag", "log10p"]


def test_features_beyond_the_first_file_of_a_chromosome(tmp_path):
    """More than 256 features lie in several files: here the last three of five, one of which misses samples."""
    table = random_table(1, "1", 50, [f"F{number}" for number in range(1, 6)], ("F4",))
    further = [name for name in table.columns if name[-2:] in ("F3", "F4", "F5")]
    gwas = write_gwas_files(tmp_path / "gwas", {"1": table.drop(columns=further)})
    files = write_gwas_files(tmp_path / "gwas" / "chr1.features", {"1": table[["pos", "id", *further]]})
    files["1"].rename(files["1"].with_name("features_3-5.parquet"))
    assert [result.name for result in select_results(gwas, None)] == ["F1", "F2", "F3", "F4", "F5", "manova"]
    WRITERS["ssf"](gwas, tmp_path / "out", ["F2", "F4"])
    for name, n in (("F2", "n"), ("F4", "n_F4")):
        written = pd.read_csv(tmp_path / "out" / f"{name}.tsv.gz", sep="\t")
        assert written["rsid"].tolist() == table["id"].tolist()
        assert (written["beta"].to_numpy(np.float32) == table[f"beta_{name}"].to_numpy()).all()
        assert written["n"].tolist() == table[n].tolist()


def test_all_or_selected_results(gwas):
    every = [Result("PC1", False), Result("PC2", False), Result("manova", True)]
    assert select_results(gwas, None) == every
    assert select_results(gwas, None, "table") == every[:2]
    assert select_results(gwas, ["manova", "PC2"]) == every[1:]


def test_tests_over_features_are_skipped_with_a_warning(gwas, caplog):
    assert select_results(gwas, ["manova", "PC2"], "GWAS-SSF file") == [Result("PC2", False)]
    assert "manova: skipped, because a test over features has no effect size for a GWAS-SSF file" in caplog.text


@pytest.mark.parametrize(
    ("wanted", "effects", "sentence"),
    [
        (["PC3"], None, "names PC3, but .* has no such feature or test. Did you mean PC2 or PC1"),
        (["height"], None, "names height, .*It has PC1, PC2; tests: manova"),
        (["minp"], None, "names minp, but .* has no such feature"),
        (["manova"], "GWAS-SSF file", "only tests over features .manova., which have no effect size"),
    ],
)
def test_invalid_selections(gwas, wanted, effects, sentence):
    with pytest.raises(UserError, match=sentence):
        select_results(gwas, wanted, effects)


def test_a_column_that_the_gwas_left_out_is_named(tmp_path):
    table = random_table(1, "1", 20, ["PC1"]).drop(columns=["se_PC1"])
    gwas = write_gwas_files(tmp_path, {"1": table})
    for write in WRITERS.values():
        with pytest.raises(UserError, match="has no column se of PC1.*gwas.columns"):
            write(gwas, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    WRITERS["plink2"](gwas, tmp_path / "out", ["manova"])
    assert (tmp_path / "out" / "manova.omnibus.gz").is_file()


@given(st.floats(0, 5000, width=32))
def test_a_p_value_as_text_against_decimals(log10p):
    text = p_value(np.array([log10p], np.float32)).to_pylist()[0]
    exact = Decimal(10) ** -Decimal(float(np.float32(log10p)))
    assert abs(Decimal(text) / exact - 1) < Decimal("6e-6")
    assert Decimal(text) <= 1


def test_p_values_beyond_float64_and_missing_ones():
    found = p_value(np.array([400, 0, np.nan, 4, 5], np.float32)).to_pylist()
    assert found == ["1e-400", "1", "NA", "0.0001", "1e-5"]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_read_back_as_they_were(values):
    values = np.array(values, np.float32)
    assert (np.array(number(values).to_pylist()).astype(np.float32) == values).all()


ODD = ["HDL/LDL ratio", "a b", "a_b", "..", ".hidden", "-x", "größe", "PC1 ", "x" * 300, "a:b|c*?", "CON\n", "%", ""]


def test_unusual_names_give_distinct_files(tmp_path):
    names = [file_name(name) for name in ODD]
    assert len(set(names)) == len(ODD)
    for name in names:
        assert set(name) <= set(string.ascii_letters + string.digits + "._+-") and name[0] not in ".-"
        assert len(f"{name}.tsv.gz-meta.yaml") < 143
    assert file_name("QT.interval_2+3-x") == "QT.interval_2+3-x"
    features = [name for name in ODD if name]
    gwas = write_gwas_files(tmp_path / "gwas", {"1": random_table(1, "1", 20, features)})
    WRITERS["ssf"](gwas, tmp_path / "out")
    listed = pd.read_csv(tmp_path / "out" / "files.tsv", sep="\t", keep_default_na=False)
    assert listed["test"].tolist() == features
    for feature, file in zip(listed["test"], listed["file"], strict=True):
        table = pd.read_csv(tmp_path / "out" / file, sep="\t")
        source = pd.read_parquet(gwas["1"])[f"beta_{feature}"]
        assert (table["beta"].to_numpy(np.float32) == source.to_numpy()).all()


@pytest.mark.parametrize("form", WRITERS)
def test_reruns_are_identical_to_the_byte(gwas, tmp_path, form):
    WRITERS[form](gwas, tmp_path / "first")
    WRITERS[form](gwas, tmp_path / "elsewhere" / "second")
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "elsewhere" / "second").iterdir())
    assert len(files) > 2
    for name in files:
        one, two = (folder / name for folder in (tmp_path / "first", tmp_path / "elsewhere" / "second"))
        assert one.read_bytes() == two.read_bytes(), name


def test_threads_change_nothing(tmp_path):
    features = [f"F{number}" for number in range(9)]
    gwas = write_gwas_files(tmp_path / "gwas", {"1": random_table(1, "1", 100, features, ("F3",))})
    for threads in (1, 4):
        write_gwas_ssf(gwas, "m", SSF, tmp_path / str(threads), threads)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) == 2 * 9 + 1
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()


@pytest.mark.parametrize("form", WRITERS)
def test_full_disk_leaves_the_old_folder(gwas, tmp_path, form, monkeypatch):
    WRITERS[form](gwas, tmp_path / "out", ["PC1"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    written = Counter()
    write = gzip.GzipFile.write

    def full(self, data):
        written["bytes"] += len(data)
        if written["bytes"] > 6000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(gzip.GzipFile, "write", full)
    for target in ("out", "new"):
        written.clear()
        with pytest.raises(UserError, match=f"{target} cannot be written, because the disk is full: free some space"):
            WRITERS[form](gwas, tmp_path / target)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gwas", "out"]


@pytest.mark.parametrize("form", WRITERS)
def test_broken_gwas_file_is_reported_and_leaves_no_files(gwas, tmp_path, form):
    gwas["X"].write_bytes(b"PAR1")
    with pytest.raises(UserError, match="chrX.parquet is not a Parquet file"):
        WRITERS[form](gwas, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["gwas"]


def test_a_gwas_without_variants_gives_a_header(tmp_path):
    gwas = write_gwas_files(tmp_path / "gwas", {"1": random_table(1, "1", 20, ["PC1"]).head(0)})
    WRITERS["ssf"](gwas, tmp_path / "out")
    assert gzip.decompress((tmp_path / "out" / "PC1.tsv.gz").read_bytes()).count(b"\n") == 1


@pytest.mark.parametrize("form", WRITERS)
def test_memory_is_one_row_group(tmp_path, form, monkeypatch):
    """No frame is longer than a row group, and each file's text is compressed as it comes."""
    gwas = write_gwas_files(tmp_path / "gwas", {"1": random_table(1, "1", 400, ["PC1"])}, row_group=25)
    sizes = []
    write = gzip.GzipFile.write
    monkeypatch.setattr(gzip.GzipFile, "write", lambda self, data: sizes.append(data.count(b"\n")) or write(self, data))
    WRITERS[form](gwas, tmp_path / "out", ["PC1"])
    assert sizes == [1] + [25] * 16
    assert math.fsum(sizes) == 401
