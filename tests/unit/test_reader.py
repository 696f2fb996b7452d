"""The .bed reader: what it gives, and what it says about broken files."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.genotypes.bed import Bed, read_bim, read_fam
from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.reader import open_genotypes
from contigwas.runtime.errors import UserError
from tests.plink_files import iids, simulate, write_plink


@pytest.fixture(scope="module")
def dosages() -> np.ndarray:
    return simulate(np.random.default_rng(1), 23, 60, missing=0.1)


@pytest.fixture(scope="module")
def path(dosages, tmp_path_factory):
    chroms = ["chr1"] * 20 + ["2"] * 25 + ["chr1"] * 15
    return write_plink(tmp_path_factory.mktemp("bed") / "all.bed", dosages, iids(23), chroms)


@pytest.fixture
def copy(path, tmp_path):
    for suffix in (".bed", ".bim", ".fam"):
        shutil.copy(path.with_suffix(suffix), tmp_path / f"all{suffix}")
    return tmp_path / "all.bed"


def test_dosages_count_the_effect_allele(path, dosages):
    bed = Bed(path)
    assert bed.variants[["effect_allele", "other_allele"]].iloc[0].tolist() == ["A", "G"]
    values = bed.read(np.arange(60))
    assert values.dtype == np.int8
    assert values.flags.f_contiguous
    np.testing.assert_array_equal(values, dosages)


def test_first_byte_by_hand(path, dosages):
    # PLINK's format: two bits a sample, 00 both effect alleles, 01 missing, 10 heterozygous, 11 no effect allele.
    codes = {2: 0, -127: 1, 1: 2, 0: 3}
    expected = sum(codes[int(dosage)] << (2 * sample) for sample, dosage in enumerate(dosages[:4, 0]))
    assert path.read_bytes()[3] == expected


def test_a_chromosome_is_found_wherever_it_stands(path, dosages):
    bed = open_genotypes(path, "chr1")
    rows = np.r_[0:20, 45:60]
    np.testing.assert_array_equal(bed.rows, rows)
    assert set(bed.variants["chrom"]) == {"1"}
    assert bed.variants.index.tolist() == list(range(35))
    np.testing.assert_array_equal(bed.read(np.arange(35)), dosages[:, rows])


@given(st.lists(st.integers(0, 24), max_size=30), st.lists(st.integers(0, 22), max_size=30), st.integers(1, 9))
def test_any_order_and_block_size(path, dosages, variants, samples, size):
    bed = open_genotypes(path, 2)
    expected = dosages[:, 20:45][np.ix_(np.array(samples, int), np.array(variants, int))]
    np.testing.assert_array_equal(bed.read(np.array(variants, int), np.array(samples, int)), expected)
    blocks = list(bed.blocks(np.array(variants, int), np.array(samples, int), size))
    assert [len(part) for part, _ in blocks[:-1]] == [size] * (len(blocks) - 1)
    if variants:
        np.testing.assert_array_equal(np.hstack([values for _, values in blocks]), expected)
        assert np.concatenate([part for part, _ in blocks]).tolist() == variants
    else:
        assert blocks == []


def test_an_abandoned_stream_ends(path):
    stream = Bed(path).blocks(np.arange(60), size=7)
    next(stream)
    stream.close()


def test_pattern(path, dosages, tmp_path):
    write_plink(tmp_path / "chr3.bed", dosages, iids(23), 3)
    assert len(open_genotypes(tmp_path / "chr{chrom}.bed", 3).variants) == 60
    with pytest.raises(UserError, match=r"chr4\.bed does not exist"):
        open_genotypes(tmp_path / "chr{chrom}.bed", "4")


@pytest.mark.parametrize(
    ("name", "plain"),
    [(1, "1"), ("chr7", "7"), ("CHR07", "7"), ("x", "X"), (23, "X"), ("24", "Y"), (25, "XY"), ("chrM", "MT")],
)
def test_chromosome_names(name, plain):
    assert chromosome(name) == plain


@pytest.mark.parametrize(
    ("chrom", "why"),
    [
        ("MT", "chromosome MT is haploid"),
        (24, "chromosome 24 is haploid"),
        ("PAR1", "chromosome PAR1 is pseudo-autosomal"),
        (25, "chromosome 25 is pseudo-autosomal"),
        (0, "neither an autosome nor X"),
    ],
)
def test_autosomes_and_x_only(path, chrom, why):
    with pytest.raises(UserError, match=why):
        open_genotypes(path, chrom)


def test_x_by_any_of_its_names(dosages, tmp_path):
    chroms = ["1"] * 10 + ["23"] * 20 + ["X"] * 10 + ["25"] * 20
    bed = open_genotypes(write_plink(tmp_path / "all.bed", dosages, iids(23), chroms), "X")
    np.testing.assert_array_equal(bed.rows, np.arange(10, 40))
    assert set(bed.variants["chrom"]) == {"X"}


def test_another_suffix(tmp_path):
    with pytest.raises(UserError, match=r"all\.vcf is not a file of genotypes .* its name must end in \.bed"):
        open_genotypes(tmp_path / "all.vcf", 1)


def test_a_chromosome_without_variants(path):
    with pytest.raises(UserError, match=r"no variant on chromosome 9 \(it has 1, 2\)"):
        open_genotypes(path, 9)


def test_truncated(copy):
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        file.truncate(size - 5)
    with pytest.raises(UserError, match=rf"{size - 5} bytes where {size} .* 60 variants .* 23 samples .* cut short"):
        Bed(copy)


def test_not_the_same_data_set(copy):
    bim = copy.with_suffix(".bim")
    bim.write_text("\n".join(bim.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(UserError, match="too long, or the three files do not belong together"):
        Bed(copy)


@pytest.mark.parametrize(
    ("magic", "message"), [(b"PK\x03", "not a PLINK 1 .bed"), (b"\x6c\x1b\x00", "stored sample by sample")]
)
def test_wrong_magic(copy, magic, message):
    copy.write_bytes(magic + copy.read_bytes()[3:])
    with pytest.raises(UserError, match=message):
        Bed(copy)


@pytest.mark.parametrize("suffix", [".bed", ".bim", ".fam"])
def test_missing_and_empty_files(copy, suffix):
    copy.with_suffix(suffix).write_bytes(b"")
    with pytest.raises(UserError, match=r"is empty|wrong first bytes"):
        Bed(copy)
    copy.with_suffix(suffix).unlink()
    with pytest.raises(UserError, match=rf"all\{suffix} does not exist"):
        Bed(copy)


def test_samples(tmp_path):
    fam = tmp_path / "a.fam"
    fam.write_text("F NA 0 0 1 -9\nF\t007 0 0 2 1\nG x 0 0 -9 1\n")
    samples = read_fam(fam)
    assert samples["iid"].tolist() == ["NA", "007", "x"]
    assert samples["sex"].tolist() == [1, 2, 0]


def test_duplicated_samples_are_counted_not_named(tmp_path):
    fam = tmp_path / "a.fam"
    fam.write_text("1 1000014 0 0 1 -9\n2 1000014 0 0 1 -9\n3 1000015 0 0 1 -9\n")
    with pytest.raises(UserError, match="1 individual IDs appear more than once .* 7 digits") as error:
        read_fam(fam)
    assert "1000014" not in str(error.value)


@pytest.mark.parametrize("text", ["1 a 0 0 1\n", "1 a 0 0 1 -9\n1 b 0 0\n", "1 a 0 0 1 -9\n1 b 0 0 1 -9 7\n"])
def test_ragged_fam(tmp_path, text):
    (tmp_path / "a.fam").write_text(text)
    with pytest.raises(UserError, match="not six columns a line"):
        read_fam(tmp_path / "a.fam")


@pytest.mark.parametrize("position", ["x", "1.5", "99999999999", "inf"])
def test_positions(tmp_path, position):
    (tmp_path / "a.bim").write_text(f"1 rs1 0 10 a g\n1 rs2 0 {position} A G\n")
    with pytest.raises(UserError, match="line 2: column 4 is not a position"):
        read_bim(tmp_path / "a.bim")


def test_a_changed_bim_is_read_again(copy):
    assert Bed(copy).variants["id"].iat[0] == "rschr1_0"
    bim = copy.with_suffix(".bim")
    bim.write_text(bim.read_text().replace("rschr1_0\t", "another\t"))
    assert Bed(copy).variants["id"].iat[0] == "another"
