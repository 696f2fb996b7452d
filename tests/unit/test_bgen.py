"""The .bgen reader on files written byte by byte, and what it says about broken ones."""

import logging
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.genotypes.bgen import Bgen, hard_calls, read_bgen_samples, read_sample
from contigwas.genotypes.bgen_index import read_index
from contigwas.genotypes.reader import open_genotypes, read_samples
from contigwas.runtime.errors import UserError
from tests.genotype_files import expected_dosages, write_bgen, write_bgi, write_sample
from tests.plink_files import iids

CHROMS = ["01"] * 12 + ["2"] * 25 + ["X"] * 8
SAMPLES, VARIANTS = 23, len(CHROMS)
TWO = np.full(SAMPLES, 2)


def draw(bits: int, seed: int = 1, phased: bool = False, ploidy: np.ndarray = TWO) -> np.ndarray:
    """Probabilities in units of the file, half of them sure calls."""
    rng, top = np.random.default_rng(seed), 2**bits - 1
    first = rng.integers(0, top + 1, (SAMPLES, VARIANTS))
    second = rng.integers(0, (np.full_like(first, top) if phased else top - first) + 1)
    sure = rng.random((SAMPLES, VARIANTS)) < 0.5
    first[sure] = np.where(first[sure] > top // 2, top, 0)
    second[sure] = np.where(phased | (first[sure] == 0), top * (second[sure] > 0), 0)
    return np.stack([first, np.where((ploidy == 1)[:, None], 0, second)], axis=-1)


def lost(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((SAMPLES, VARIANTS)) < 0.1


@pytest.fixture(scope="module")
def shares() -> np.ndarray:
    return draw(8)


@pytest.fixture(scope="module")
def expected(shares) -> np.ndarray:
    return expected_dosages(shares, 8, missing=lost())


@pytest.fixture(scope="module")
def path(shares, tmp_path_factory):
    path = tmp_path_factory.mktemp("bgen") / "all.bgen"
    write_bgen(path, shares, iids(SAMPLES), CHROMS, missing=lost())
    write_sample(path.with_suffix(".sample"), iids(SAMPLES), [1 + i % 2 for i in range(SAMPLES)])
    return path


@pytest.fixture
def copy(path, tmp_path):
    for suffix in (".bgen", ".sample"):
        shutil.copy(path.with_suffix(suffix), tmp_path / f"all{suffix}")
    return tmp_path / "all.bgen"


def test_samples_and_variants(path):
    genotypes = Bgen(path)
    assert genotypes.samples["iid"].tolist() == iids(SAMPLES)
    assert genotypes.samples["fid"].tolist() == [f"F{name}" for name in iids(SAMPLES)]
    assert genotypes.samples["sex"].tolist() == [1 + i % 2 for i in range(SAMPLES)]
    assert genotypes.variants.iloc[13].tolist() == ["2", "rs2_13", 14000, "A", "G"]
    assert genotypes.variants["chrom"].unique().tolist() == ["1", "2", "X"]


@pytest.mark.parametrize("bits", [1, 2, 8, 13, 16, 32])
@pytest.mark.parametrize("phased", [False, True])
@pytest.mark.parametrize("compression", ["zlib", "zstd"])
@pytest.mark.parametrize("ploidy", [TWO, np.where(np.arange(SAMPLES) % 3, 2, 1)], ids=["diploid", "mixed"])
def test_every_kind_of_block(tmp_path, bits, phased, compression, ploidy):
    shares = draw(bits, bits, phased, ploidy)
    path = tmp_path / "a.bgen"
    write_bgen(path, shares, iids(SAMPLES), CHROMS, bits, phased, ploidy, lost(bits), compression)
    genotypes = Bgen(path, threads=2)
    values = genotypes.dosages(np.arange(VARIANTS))
    assert values.dtype == np.float32
    assert values.flags.f_contiguous
    expected = expected_dosages(shares, bits, phased, ploidy, lost(bits))
    np.testing.assert_allclose(values, expected, atol=3e-7)
    calls = genotypes.read(np.arange(VARIANTS))
    assert calls.dtype == np.int8
    assert calls.flags.f_contiguous
    for sample, variant in np.ndindex(calls.shape):
        possible = (0, 2) if ploidy[sample] == 1 else (0, 1, 2)
        near = [one for one in possible if abs(expected[sample, variant] - one) <= 0.1]
        assert calls[sample, variant] == (near[0] if near else -127)


def test_everyone_haploid(tmp_path):
    ploidy = np.ones(SAMPLES, int)
    shares = draw(8, ploidy=ploidy)
    write_bgen(tmp_path / "a.bgen", shares, iids(SAMPLES), CHROMS, ploidy=ploidy)
    values = Bgen(tmp_path / "a.bgen").dosages(np.arange(VARIANTS))
    np.testing.assert_allclose(values, expected_dosages(shares, 8, ploidy=ploidy), atol=3e-7)


def test_dosages_out_of_range_are_refused(tmp_path):
    shares = np.zeros((SAMPLES, VARIANTS, 2), int)
    shares[3, 7] = 200, 56
    path = write_bgen(tmp_path / "a.bgen", shares, iids(SAMPLES), CHROMS)
    genotypes = Bgen(path)
    assert genotypes.dosages([6]).min() == 2
    with pytest.raises(UserError, match="a.bgen"):
        genotypes.dosages([7])
    # whoever is missing may have anything there
    missing = np.zeros((SAMPLES, VARIANTS), bool)
    missing[3, 7] = True
    path = write_bgen(tmp_path / "b.bgen", shares, iids(SAMPLES), CHROMS, missing=missing)
    assert np.isnan(Bgen(path).dosages([7])[3, 0])


def test_three_copies_are_refused(tmp_path):
    three = np.where(np.arange(SAMPLES) == 5, 3, 2)
    path = write_bgen(tmp_path / "a.bgen", np.zeros((SAMPLES, VARIANTS, 3), int), iids(SAMPLES), CHROMS, ploidy=three)
    with pytest.raises(UserError, match="the variant 1 has more than two copies a sample"):
        Bgen(path).dosages([0])


ORDERS = (st.lists(st.integers(0, 24), max_size=30), st.lists(st.integers(0, SAMPLES - 1), max_size=30))


@given(*ORDERS, st.integers(1, 9), st.booleans(), st.integers(1, 3))
def test_any_order_and_block_size(path, expected, variants, samples, size, dosages, threads):
    genotypes = open_genotypes(path, 2, threads)
    variants, samples = np.array(variants, int), np.array(samples, int)
    whole = expected[:, 12:37]
    whole = whole.astype(np.float32) if dosages else hard_calls(whole, np.zeros(whole.shape, bool))
    wanted = whole[np.ix_(samples, variants)]
    read = genotypes.dosages if dosages else genotypes.read
    np.testing.assert_allclose(read(variants, samples), wanted, atol=3e-7)
    blocks = [values for _, values in genotypes.blocks(variants, samples, size, dosages)]
    assert len(blocks) == -(-variants.size // size)
    if blocks:
        np.testing.assert_allclose(np.hstack(blocks), wanted, atol=3e-7)


def test_an_index_gives_the_same_as_a_pass_over_the_file(copy, path):
    passed = read_index(path)
    starts = [*passed["start"], path.stat().st_size]
    write_bgi(copy, starts, CHROMS)
    assert read_index(copy).equals(passed)
    np.testing.assert_array_equal(Bgen(copy, "X").dosages(np.arange(8)), Bgen(path, "X").dosages(np.arange(8)))


def test_the_index_of_another_file(copy, path):
    starts = [*read_index(path)["start"], path.stat().st_size]
    bgi = write_bgi(copy, [*starts[:-3], starts[-1]], CHROMS[:-2])
    with pytest.raises(UserError, match=r"all\.bgen\.bgi is the index of another file"):
        Bgen(copy)
    bgi.unlink()
    write_bgi(copy, [*starts[:-1], starts[-1] + 7], CHROMS)
    with pytest.raises(UserError, match="cut short, or .* the index of another file"):
        Bgen(copy)
    bgi.write_bytes(b"no index")
    with pytest.raises(UserError, match=r"all\.bgen\.bgi is not an index that bgenix wrote"):
        Bgen(copy)


def test_variants_of_more_than_two_alleles_are_left_out(tmp_path, shares, caplog):
    alleles = [("G", "A")] * VARIANTS
    alleles[4] = ("G", "A", "T")
    write_bgen(tmp_path / "a.bgen", shares, iids(SAMPLES), CHROMS, alleles=alleles)
    with caplog.at_level(logging.INFO):
        genotypes = open_genotypes(tmp_path / "a.bgen", 1)
    assert "1 variants of more than two alleles are left out" in caplog.text
    assert genotypes.rows.tolist() == [0, 1, 2, 3, *range(5, 12)]
    expected = expected_dosages(shares, 8)[:, genotypes.rows]
    np.testing.assert_allclose(genotypes.dosages(np.arange(11)), expected, atol=3e-7)


def test_samples_of_the_header_where_there_is_no_sample_file(copy):
    copy.with_suffix(".sample").unlink()
    samples = Bgen(copy).samples
    assert samples["iid"].tolist() == samples["fid"].tolist() == iids(SAMPLES)
    assert (samples["sex"] == 0).all()
    assert read_samples(copy).equals(samples)


def test_nobody_is_named(tmp_path, shares):
    path = write_bgen(tmp_path / "a.bgen", shares, iids(SAMPLES), CHROMS, ids=False)
    with pytest.raises(UserError, match=r"names no samples, and .*a\.sample does not exist"):
        Bgen(path)
    write_sample(tmp_path / "a.sample", iids(SAMPLES), ["M", "F"] * 11 + ["NA"])
    assert Bgen(path).samples["sex"].tolist() == [1, 2] * 11 + [0]


def test_cut_short_or_too_long(copy):
    whole = copy.read_bytes()
    for length in (10, 23, 30, 200, len(whole) - 1):
        copy.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut short|wrong first bytes"):
            Bgen(copy)
    copy.write_bytes(whole + b"x")
    with pytest.raises(UserError, match="goes on after its last variant"):
        Bgen(copy)


def test_a_damaged_block(tmp_path, shares):
    path = write_bgen(tmp_path / "a.bgen", shares, iids(SAMPLES), CHROMS)
    data = bytearray(path.read_bytes())
    data[-40:] = bytes(40)
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=rf"the variant {VARIANTS} cannot be decoded"):
        Bgen(path).dosages(np.arange(VARIANTS))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (16, b"PK\x03\x04", "not a .bgen file"),
        (20, b"\x05\x00\x00\x80", "layout 1: write it again"),
        (20, b"\x08\x00\x00\x80", "is not compressed, which is not read"),
    ],
)
def test_wrong_magic_and_layout(copy, place, value, message):
    data = bytearray(copy.read_bytes())
    data[place : place + 4] = value
    copy.write_bytes(bytes(data))
    with pytest.raises(UserError, match=message):
        Bgen(copy)


def test_not_the_same_samples(copy):
    write_sample(copy.with_suffix(".sample"), iids(20), [1] * 20)
    with pytest.raises(UserError, match=r"holds 23 samples, where .*all\.sample names 20"):
        Bgen(copy)


def test_missing_and_without_the_chromosome(copy):
    with pytest.raises(UserError, match=r"all\.bgen has no variant on chromosome 9 \(it has 1, 2, X\)"):
        open_genotypes(copy, 9)
    copy.unlink()
    with pytest.raises(UserError, match=r"all\.bgen does not exist"):
        open_genotypes(copy, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "two header lines"),
        ("1000014 1000014 0 1\n1000015 1000015 0 1\n", "two header lines"),
        ("ID_1 ID_2 missing sex\n0 0 0 D\na a 0\n", "line 3 has fewer columns"),
        ("ID_1 ID_2 missing sex\n0 0 0 D\na 1000014 0 1\nb 1000014 0 1\n", "1 individual IDs appear more than once"),
    ],
)
def test_malformed_sample_files(tmp_path, text, message):
    (tmp_path / "a.sample").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_sample(tmp_path / "a.sample")
    assert "1000014" not in str(error.value)


def test_a_sample_file_with_one_id(tmp_path):
    (tmp_path / "a.sample").write_text("ID sex\n0 D\nNA 1\n007 2\n")
    samples = read_sample(tmp_path / "a.sample")
    assert samples.to_numpy().tolist() == [["NA", "NA", 1], ["007", "007", 2]]


def test_duplicated_ids_of_the_header(tmp_path, shares):
    names = ["1000014", *iids(SAMPLES)[1:-1], "1000014"]
    path = write_bgen(tmp_path / "a.bgen", shares, names, CHROMS)
    with pytest.raises(UserError, match="1 individual IDs appear more than once|2 individual IDs") as error:
        read_bgen_samples(path)
    assert "1000014" not in str(error.value)
