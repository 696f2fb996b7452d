"""The readers of .pgen and .bgen against plink2's own exports, and chromosome X against plink2 and plink1.9."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.bgen import Bgen
from contigwas.genotypes.pgen import Pgen
from contigwas.genotypes.qc import variant_qc
from contigwas.genotypes.reader import open_genotypes
from contigwas.genotypes.sex import code_males, frequencies, x_linked
from tests.genotype_files import expected_dosages, write_bgen, write_sample
from tests.plink_files import iids, simulate, write_plink, write_samples

EVERYTHING = {"call_rate": 0.0, "maf": 0.0, "hwe": 0.0, "hwe_midp": False, "info": 0.0}


def run(*command) -> None:
    """Run a program; its own words where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr


@pytest.fixture(scope="module")
def plink2(oracle):
    """Run plink2; the path of its output."""
    program = oracle("plink2")

    def to(out, *arguments, suffix=""):
        run(program, "--out", out, "--threads", "1", "--memory", "1000", *arguments)
        return out.with_name(out.name + suffix)

    return to


def exported(path) -> tuple[pd.DataFrame, np.ndarray]:
    """The variants and the copies of COUNTED (samples, variants), NaN where missing, of --export A-transpose."""
    table = pd.read_csv(path, sep="\t", dtype={"CHR": str})
    return table[["CHR", "SNP", "POS", "COUNTED", "ALT"]], table.iloc[:, 6:].to_numpy(float).T


def oriented(genotypes, variants: pd.DataFrame, copies: np.ndarray) -> np.ndarray:
    """Copies of the reader's effect allele, after a check that chromosomes, ids, positions and alleles agree."""
    ours = genotypes.variants
    assert ours["id"].tolist() == variants["SNP"].tolist()
    assert ours["chrom"].tolist() == variants["CHR"].tolist()
    assert ours["pos"].tolist() == variants["POS"].tolist()
    same = (ours["effect_allele"].to_numpy() == variants["COUNTED"].to_numpy()) & (
        ours["other_allele"].to_numpy() == variants["ALT"].to_numpy()
    )
    swapped = (ours["effect_allele"].to_numpy() == variants["ALT"].to_numpy()) & (
        ours["other_allele"].to_numpy() == variants["COUNTED"].to_numpy()
    )
    assert (same | swapped).all()
    return np.where(swapped, 2 - copies, copies)


def check_samples(genotypes, bed) -> None:
    fam = pd.read_csv(bed.with_suffix(".fam"), sep=r"\s+", header=None, dtype=str)
    assert genotypes.samples["iid"].tolist() == fam[1].tolist()
    assert genotypes.samples["sex"].tolist() == fam[4].astype(int).tolist()


def as_calls(copies: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(copies), -127, copies)


@pytest.fixture(scope="module")
def real(plink2, shared_data, tmp_path_factory):
    """300 variants of two chromosomes of the 379 Europeans of the 1000 Genomes Project, with 2 % of the calls taken
    away: a .bed, and what plink2 exports of it."""
    folder = tmp_path_factory.mktemp("real")
    source = shared_data / "genotypes" / "EUR_subset"
    thin = ["--chr", "21,22", "--thin-count", "300", "--seed", "3"]
    plink2(folder / "thin", "--bfile", source, *thin, "--make-bed")
    whole = open_genotypes(folder / "thin.bed", 21), open_genotypes(folder / "thin.bed", 22)
    calls = np.hstack([one.read(np.arange(len(one.variants))) for one in whole])
    variants = pd.concat([one.variants for one in whole])
    calls[np.random.default_rng(4).random(calls.shape) < 0.02] = -127
    samples = whole[0].samples
    bed = write_plink(
        folder / "all.bed", calls, samples["iid"].tolist(), variants["chrom"].tolist(), fid=samples["fid"].tolist(),
        sex=samples["sex"].tolist(), sid=variants["id"].tolist(), bp_position=variants["pos"].tolist(),
        allele_1=variants["effect_allele"].tolist(), allele_2=variants["other_allele"].tolist(),
    )  # fmt: skip
    return bed, plink2(folder / "all", "--bfile", bed.with_suffix(""), "--export", "A-transpose", suffix=".traw")


def test_pgen_of_hard_calls(plink2, real, tmp_path):
    bed, traw = real
    for form, suffix in (([], ".pvar"), (["vzs"], ".pvar.zst")):
        path = plink2(tmp_path / "p", "--bfile", bed.with_suffix(""), "--make-pgen", *form, suffix=".pgen")
        assert path.with_suffix(suffix).is_file()
        genotypes = Pgen(path)
        check_samples(genotypes, bed)
        assert not genotypes.has_dosages
        expected = oriented(genotypes, *exported(traw))
        assert np.isnan(expected).mean() > 0.01
        np.testing.assert_array_equal(genotypes.read(np.arange(300)), as_calls(expected))
        for file in tmp_path.glob("p.*"):
            file.unlink()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["ref-first", "ref-last"])
def test_bgen_of_hard_calls(plink2, real, tmp_path, bits, order):
    bed, traw = real
    form = ["bgen-1.2", f"bits={bits}", *(["ref-first"] if order == "ref-first" else [])]
    path = plink2(tmp_path / "b", "--bfile", bed.with_suffix(""), "--export", *form, suffix=".bgen")
    genotypes = Bgen(path)
    check_samples(genotypes, bed)
    bim = pd.read_csv(bed.with_suffix(".bim"), sep="\t", header=None)
    assert genotypes.variants["effect_allele"].tolist() == bim[4 if order == "ref-first" else 5].tolist()
    expected = oriented(genotypes, *exported(traw))
    np.testing.assert_array_equal(genotypes.read(np.arange(300)), as_calls(expected))
    np.testing.assert_allclose(genotypes.dosages(np.arange(300)), expected, atol=1e-6)


@pytest.mark.parametrize(("bits", "phased"), [(8, False), (16, False), (8, True), (16, True)])
def test_dosages_of_a_bgen_and_of_the_pgen_made_of_it(plink2, tmp_path, bits, phased):
    rng, top, samples, chroms = np.random.default_rng(bits), 2**bits - 1, 60, ["1"] * 70 + ["2"] * 50
    first = np.rint(rng.beta(0.15, 0.15, (samples, len(chroms))) * top).astype(np.int64)
    second = np.rint(rng.beta(0.15, 0.15, first.shape) * (top if phased else top - first)).astype(np.int64)
    missing = rng.random(first.shape) < 0.05
    shares = np.stack([first, second], axis=-1)
    bgen = write_bgen(tmp_path / "d.bgen", shares, iids(samples), chroms, bits, phased, missing=missing)
    write_sample(bgen.with_suffix(".sample"), iids(samples), [1, 2] * (samples // 2))
    pgen = plink2(
        tmp_path / "d", "--bgen", bgen, "ref-first", "--sample", bgen.with_suffix(".sample"), "--make-pgen",
        suffix=".pgen",
    )  # fmt: skip
    everything = np.arange(len(chroms))
    ours, theirs = Bgen(bgen), Pgen(pgen)
    assert ours.samples.equals(theirs.samples)
    assert ours.variants.equals(theirs.variants)
    assert theirs.has_dosages
    expected = expected_dosages(shares, bits, phased, missing=missing)
    np.testing.assert_allclose(ours.dosages(everything), expected, atol=1e-6)
    dosages = oriented(theirs, *exported(plink2(tmp_path / "t", "--pfile", pgen.with_suffix(""), "--export",
                                                "A-transpose", suffix=".traw")))  # fmt: skip
    np.testing.assert_allclose(theirs.dosages(everything), dosages, atol=5e-5)
    np.testing.assert_allclose(theirs.dosages(everything), expected, atol=1 / 16384)
    calls = plink2(tmp_path / "h", "--pfile", pgen.with_suffix(""), "--make-bed", suffix=".bed")
    hard = open_genotypes(calls, 1).read(np.arange(70))
    assert set(np.unique(hard)) == {-127, 0, 1, 2}
    for reader in (ours, theirs):
        np.testing.assert_array_equal(reader.read(np.arange(70)), hard)


PAR = (2_699_520, 154_931_044)


@pytest.fixture(scope="module")
def x_chromosome(tmp_path_factory):
    """90 variants of X, ten of them pseudo-autosomal, and 80 samples; males carry some heterozygous calls in error."""
    rng, samples = np.random.default_rng(12), 80
    calls = simulate(rng, samples, 90, missing=0.04)
    sexes = rng.choice([0, 1, 2], samples, p=[0.1, 0.45, 0.45])
    positions = np.sort(np.concatenate([rng.choice(range(100_000, PAR[0]), 5), rng.choice(range(*PAR), 80),
                                        rng.choice(range(PAR[1], 155_200_000), 5)]))  # fmt: skip
    folder = tmp_path_factory.mktemp("x")
    alleles = {"allele_1": ["A"] * 90, "allele_2": ["G"] * 90}
    bed = write_plink(folder / "x.bed", calls, iids(samples), ["X"] * 90, sex=sexes.tolist(),
                      bp_position=positions.tolist(), **alleles)  # fmt: skip
    return bed, sexes


def without_errors(bed, sexes, folder, known=False):
    """The same file without males' heterozygous calls outside the pseudo-autosomal regions; of known sex, if asked."""
    genotypes = open_genotypes(bed, "X")
    calls = genotypes.read(np.arange(90))
    positions = genotypes.variants["pos"].to_numpy()
    outside = (positions > PAR[0]) & (positions < PAR[1])
    for sample in np.flatnonzero(sexes == 1):
        calls[sample, outside & (calls[sample] == 1)] = -127
    samples = sexes >= (1 if known else 0)
    return write_plink(folder / "clean.bed", calls[samples], np.array(iids(80))[samples].tolist(), ["X"] * 90,
                       sex=sexes[samples].tolist(), bp_position=positions.tolist())  # fmt: skip


def test_frequencies_of_x(plink2, x_chromosome, tmp_path):
    bed, sexes = x_chromosome
    genotypes = open_genotypes(bed, "X")
    linked = x_linked("X", genotypes.variants["pos"], "GRCh37")
    block = genotypes.read(np.arange(90))
    coded, hets = code_males(block, sexes == 1, sexes == 0, linked)
    assert hets == int((block[np.ix_(sexes == 1, linked)] == 1).sum()) > 0
    eaf, called = frequencies(coded, sexes == 1, linked)
    alleles = called + np.where(linked, (coded[sexes == 2] >= 0).sum(axis=0), called)
    # plink2 counts samples of unknown sex as females on X, where we leave them out
    for columns, known in ((linked, True), (~linked, False)):
        folder = tmp_path / str(known)
        clean = without_errors(bed, sexes, folder, known)
        plink2(folder / "split", "--bfile", clean.with_suffix(""), "--split-par", "b37", "--make-pgen")
        freq = plink2(folder / "f", "--pfile", folder / "split", "--freq", suffix=".afreq")
        theirs = pd.read_csv(freq, sep="\t", dtype={"#CHROM": str}).set_index("ID").loc[genotypes.variants["id"]]
        assert (theirs["#CHROM"] == "X").tolist() == linked.tolist(), "the others are in PAR1 and PAR2"
        expected = np.where(theirs["ALT"] == "A", theirs["ALT_FREQS"], 1 - theirs["ALT_FREQS"])
        np.testing.assert_allclose(eaf[columns], expected[columns], atol=1e-6)
        np.testing.assert_array_equal(alleles[columns], theirs["OBS_CT"][columns])


def test_males_of_a_bgen_are_haploid(plink2, x_chromosome, tmp_path):
    bed, sexes = x_chromosome
    clean = without_errors(bed, sexes, tmp_path, known=True)
    inside = ["--chr", "X", "--from-bp", PAR[0] + 1, "--to-bp", PAR[1] - 1]
    plink2(tmp_path / "i", "--bfile", clean.with_suffix(""), *inside, "--make-pgen")
    bgen = plink2(tmp_path / "b", "--pfile", tmp_path / "i", "--export", "bgen-1.2", "bits=8", "ref-first",
                  suffix=".bgen")  # fmt: skip
    ours, theirs = open_genotypes(bgen, "X"), open_genotypes(tmp_path / "i.pgen", "X")
    assert ours.samples["sex"].tolist() == theirs.samples["sex"].tolist() == sexes[sexes > 0].tolist()
    expected = theirs.read(np.arange(80))
    male = ours.samples["sex"].to_numpy() == 1
    assert set(np.unique(expected[male])) == {-127, 0, 2}
    np.testing.assert_array_equal(ours.read(np.arange(80)), expected)
    np.testing.assert_array_equal(ours.dosages(np.arange(80)), np.where(expected < 0, np.nan, expected))


def test_hardy_of_x_is_that_of_females(oracle, x_chromosome, tmp_path):
    bed, sexes = x_chromosome
    write_samples(tmp_path, iids(80))
    table = pd.read_csv(tmp_path / "candidates.tsv", sep="\t", dtype=str).assign(sex=sexes)
    table.to_csv(tmp_path / "candidates.tsv", sep="\t", index=False)
    variant_qc(bed, "X", tmp_path / "candidates.tsv", EVERYTHING, "GRCh37", tmp_path / "v", tmp_path / "p")
    ours = pd.read_parquet(tmp_path / "v")
    linked = x_linked("X", ours["pos"], "GRCh37")
    assert (ours.loc[linked, "hwe_p"] < 0.9).sum() > 20
    plink19 = [oracle("plink1.9"), "--allow-no-sex", "--out"]
    split = ["--bfile", bed.with_suffix(""), "--split-x", "b37", "no-fail", "--make-bed"]
    run(*plink19, tmp_path / "s", *split)
    # plink1.9 counts samples of unknown sex as females on X
    for columns, samples in ((linked, sexes > 0), (~linked, sexes >= 0)):
        keep = tmp_path / "keep.txt"
        keep.write_text("".join(f"{one} {one}\n" for one in np.array(iids(80))[samples]))
        run(*plink19, tmp_path / "h", "--bfile", tmp_path / "s", "--hardy", "--keep", keep)
        hwe = pd.read_csv(tmp_path / "h.hwe", sep=r"\s+").set_index("SNP").loc[ours["id"]]
        assert (hwe["CHR"] == 25).tolist() == (~linked).tolist(), "25 is pseudo-autosomal"
        np.testing.assert_allclose(ours["hwe_p"][columns], hwe["P"][columns.tolist()], rtol=5e-4)
