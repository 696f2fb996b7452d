"""The .pgen reader: what it gives, and what it says about broken files."""

import logging
import shutil
import struct

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from contigwas.genotypes.pgen import Pgen
from contigwas.genotypes.pgen_header import read_header
from contigwas.genotypes.plink2_tables import read_psam, read_pvar
from contigwas.genotypes.reader import open_genotypes
from contigwas.runtime.errors import UserError
from tests.genotype_files import write_pgen
from tests.plink_files import iids, simulate

CHROMS = ["1"] * 20 + ["2"] * 25 + ["chrX"] * 15
SUFFIXES = (".pgen", ".pvar", ".psam")


@pytest.fixture(scope="module")
def calls() -> np.ndarray:
    return simulate(np.random.default_rng(1), 23, 60, missing=0.1)


@pytest.fixture(scope="module")
def path(calls, tmp_path_factory):
    return write_pgen(tmp_path_factory.mktemp("pgen") / "all.pgen", calls, iids(23), CHROMS)


@pytest.fixture(scope="module")
def expected(calls) -> np.ndarray:
    rng = np.random.default_rng(2)
    dosages = np.clip(calls + rng.uniform(-0.4, 0.4, calls.shape), 0, 2).astype(np.float32)
    dosages[calls < 0] = np.nan
    return dosages


@pytest.fixture(scope="module")
def with_dosages(expected, tmp_path_factory):
    return write_pgen(tmp_path_factory.mktemp("dosages") / "all.pgen", expected, iids(23), CHROMS)


@pytest.fixture
def copy(path, tmp_path):
    for suffix in SUFFIXES:
        shutil.copy(path.with_suffix(suffix), tmp_path / f"all{suffix}")
    return tmp_path / "all.pgen"


def test_calls_samples_and_variants(path, calls):
    genotypes = Pgen(path)
    values = genotypes.read(np.arange(60))
    assert values.dtype == np.int8
    assert values.flags.f_contiguous
    np.testing.assert_array_equal(values, calls)
    assert genotypes.samples["iid"].tolist() == iids(23)
    assert genotypes.samples["sex"].tolist() == [1 + i % 2 for i in range(23)]
    assert genotypes.variants.iloc[21].tolist() == ["2", "rs2_21", 22000, "A", "G"]
    assert not genotypes.has_dosages
    np.testing.assert_array_equal(genotypes.dosages(np.arange(60)), values)
    assert genotypes.dosages(np.arange(60)).dtype == np.int8


def test_dosages(with_dosages, expected):
    genotypes = Pgen(with_dosages)
    assert genotypes.has_dosages
    values = genotypes.dosages(np.arange(60))
    assert values.dtype == np.float32
    assert values.flags.f_contiguous
    np.testing.assert_allclose(values, expected, atol=1 / 16384)
    near = np.rint(expected)
    hard = np.where(np.abs(expected - near) <= 0.1, near, -127)
    ties = np.abs(np.abs(expected - near) - 0.1) < 1e-3
    np.testing.assert_array_equal(genotypes.read(np.arange(60))[~ties], hard[~ties])


ORDERS = (st.lists(st.integers(0, 24), max_size=30), st.lists(st.integers(0, 22), max_size=30))


@given(*ORDERS, st.integers(1, 9), st.booleans())
def test_any_order_and_block_size(with_dosages, expected, variants, samples, size, dosages):
    genotypes = open_genotypes(with_dosages, 2)
    variants, samples = np.array(variants, int), np.array(samples, int)
    everything = Pgen(with_dosages)
    whole = (everything.dosages if dosages else everything.read)(np.arange(60))[:, 20:45]
    wanted = whole[np.ix_(samples, variants)]
    read = genotypes.dosages if dosages else genotypes.read
    np.testing.assert_array_equal(read(variants, samples), wanted)
    blocks = [values for _, values in genotypes.blocks(variants, samples, size, dosages)]
    assert len(blocks) == -(-variants.size // size)
    if blocks:
        np.testing.assert_array_equal(np.hstack(blocks), wanted)


def test_variants_of_several_alternate_alleles_are_left_out(copy, calls, caplog):
    pvar = copy.with_suffix(".pvar")
    lines = pvar.read_text().splitlines()
    lines[2 + 5] = lines[2 + 5].replace("\tA", "\tA,T")
    pvar.write_text("\n".join(lines) + "\n")
    with caplog.at_level(logging.INFO):
        genotypes = open_genotypes(copy, 1)
    assert "1 variants of several alternate alleles are left out" in caplog.text
    rows = [*range(5), *range(6, 20)]
    np.testing.assert_array_equal(genotypes.rows, rows)
    np.testing.assert_array_equal(genotypes.read(np.arange(19)), calls[:, rows])


def test_a_packed_pvar(copy, calls):
    pvar = copy.with_suffix(".pvar")
    copy.with_suffix(".pvar.zst").write_bytes(zstandard.compress(pvar.read_bytes()))
    plain = read_pvar(pvar)
    pvar.unlink()
    genotypes = open_genotypes(copy, "X")
    np.testing.assert_array_equal(genotypes.read(np.arange(15)), calls[:, 45:])
    assert read_pvar(copy.with_suffix(".pvar.zst")).equals(plain)
    copy.with_suffix(".pvar.zst").write_bytes(b"not packed at all")
    with pytest.raises(UserError, match=r"all\.pvar\.zst is not zstd-compressed"):
        Pgen(copy)


def test_cut_short_or_too_long(copy):
    whole = copy.read_bytes()
    assert read_header(copy).size == len(whole)
    for length in (3, 11, 15, 40, len(whole) - 1):
        copy.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cut short"):
            Pgen(copy)
    copy.write_bytes(whole + b"x")
    with pytest.raises(UserError, match="too long"):
        Pgen(copy)


@pytest.mark.parametrize(("mode", "bits", "dosages"), [(2, 2, False), (3, 18, True), (4, 34, True)])
def test_headers_of_fixed_width(tmp_path, mode, bits, dosages):
    path = tmp_path / "a.pgen"
    path.write_bytes(b"\x6c\x1b" + struct.pack("<BIIB", mode, 10, 6, 0x40))
    found = read_header(path)
    assert (found.variants, found.samples, found.dosages) == (10, 6, dosages)
    assert found.size == 12 + 10 * (2 + (bits - 2) // 8 * 6), "whole bytes of 2-bit calls, then the numbers"


def test_more_than_one_block_of_records(tmp_path):
    many = 2**16 + 50
    calls = np.zeros((4, many), np.int8)
    calls[:, 2**16 :] = np.random.default_rng(0).integers(0, 3, (4, 50))
    path = write_pgen(tmp_path / "a.pgen", calls, iids(4), ["1"] * many)
    assert read_header(path).size == path.stat().st_size
    np.testing.assert_array_equal(Pgen(path).read(np.arange(2**16 - 2, many)), calls[:, 2**16 - 2 :])


def test_not_the_same_data_set(copy):
    psam = copy.with_suffix(".psam")
    psam.write_text("\n".join(psam.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(UserError, match="60 variants of 23 samples, .* 60 variants and the .psam 20 samples"):
        Pgen(copy)


@pytest.mark.parametrize(
    ("magic", "message"), [(b"PK\x03", "not a .pgen file"), (b"\x6c\x1b\x01", "a PLINK 1 .bed file by another name")]
)
def test_wrong_magic(copy, magic, message):
    copy.write_bytes(magic + copy.read_bytes()[3:])
    with pytest.raises(UserError, match=message):
        Pgen(copy)


def test_records_that_make_no_sense(with_dosages, tmp_path):
    for suffix in SUFFIXES:
        shutil.copy(with_dosages.with_suffix(suffix), tmp_path / f"all{suffix}")
    path = tmp_path / "all.pgen"
    data = bytearray(path.read_bytes())
    data[-600:] = b"\xff" * 600
    path.write_bytes(bytes(data))
    genotypes = Pgen(path)
    with pytest.raises(UserError, match="cannot be read as a .pgen file"):
        genotypes.dosages(np.arange(60))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_and_empty_files(copy, suffix):
    copy.with_suffix(suffix).write_bytes(b"")
    with pytest.raises(UserError, match=r"is empty|wrong first bytes"):
        Pgen(copy)
    copy.with_suffix(suffix).unlink()
    with pytest.raises(UserError, match=rf"all\{suffix} does not exist"):
        Pgen(copy)


def test_a_chromosome_without_variants(path):
    with pytest.raises(UserError, match=r"all\.pvar has no variant on chromosome 9 \(it has 1, 2, X\)"):
        open_genotypes(path, 9)


@pytest.mark.parametrize(
    ("text", "sex"),
    [
        ("#FID IID SEX PHENO1\nF NA 1 2\nG 007 2 1\nH x NA 1\n", [1, 2, 0]),
        ("#IID\tSEX\nNA\tM\n007\tf\nx\t0\n", [1, 2, 0]),
        ("#IID\nNA\n007\nx\n", [0, 0, 0]),
        ("F NA 0 0 1 -9\nG 007 0 0 2 -9\nH x 0 0 -9 -9\n", [1, 2, 0]),
    ],
)
def test_samples(tmp_path, text, sex):
    path = tmp_path / "a.psam"
    path.write_text(text)
    samples = read_psam(path)
    assert samples["iid"].tolist() == ["NA", "007", "x"]
    assert samples["sex"].tolist() == sex
    assert samples["fid"].tolist() == (["F", "G", "H"] if text.split()[0] in ("#FID", "F") else ["NA", "007", "x"])


def test_a_pvar_without_a_header_is_a_bim(tmp_path):
    path = tmp_path / "a.pvar"
    path.write_text("1 rs1 0 10 a g\nX rs2 0 20 A G\n")
    assert read_pvar(path)[["id", "pos", "effect_allele"]].to_numpy().tolist() == [["rs1", 10, "A"], ["rs2", 20, "A"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.psam", "#FID SEX\nF 1\n", "has no column IID"),
        ("a.psam", "#IID SEX\n1000014 1\n1000014 2\n", "1 individual IDs appear more than once .* 7 digits"),
        ("a.psam", "#IID SEX\na 1\nb\n", "line 3 has fewer columns"),
        ("a.pvar", "#CHROM POS ID REF\n1 5 a G\n", "has no column ALT"),
        ("a.pvar", "##x\n#CHROM POS ID REF ALT\n1 5 a G A\n1 x b G A\n", "POS of the variant 2 is not a position"),
        ("a.pvar", "##x\n#CHROM POS ID REF ALT\n1 5 a G A\n1 6 b G\n", "line 4 has fewer columns"),
    ],
)
def test_malformed_tables(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as error:
        (read_psam if name.endswith("psam") else read_pvar)(tmp_path / name)
    assert "1000014" not in str(error.value)
