"""Pruning, kinship, who is left without relatives, and components against plink2, on both real sets of genotypes."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.hwe import hwe_exact
from contigwas.genotypes.kinship import pairs_above
from contigwas.genotypes.pcs import principal_components
from contigwas.genotypes.prune import prune
from contigwas.genotypes.pruned import Pruned
from contigwas.genotypes.reader import open_genotypes
from contigwas.runtime.atomic_files import write_tsv
from contigwas.samples.ancestry import outsiders
from contigwas.samples.families import related_pairs, unrelated
from tests.plink_files import child, iids, simulate, write_plink, write_samples

WINDOW = {"window": 200, "step": 50, "r2": 0.2, "long_range_ld": "keep", "build": "GRCh37"}
SETS = {"EUR_subset": range(17, 23), "1kg_phase1_thinned": range(1, 23)}


@pytest.fixture(scope="module")
def plink2(oracle):
    program = oracle("plink2")

    def run(bed, out, *arguments):
        command = [program, "--bfile", bed.with_suffix(""), "--out", out, "--threads", "1", "--memory", "2000"]
        subprocess.run([*map(str, command), *map(str, arguments)], check=True, capture_output=True)

    return run


@pytest.fixture(scope="module", params=list(SETS))
def real(request, shared_data, tmp_path_factory):
    """A set of the 1000 Genomes Project after our pruning: name, folder, .bed, chromosomes, pruned tables."""
    folder = tmp_path_factory.mktemp(request.param)
    bed = shared_data / "genotypes" / f"{request.param}.bed"
    write_samples(folder, open_genotypes(bed, SETS[request.param][0]).samples["iid"].tolist())
    pruned = []
    for chrom in SETS[request.param]:
        table = open_genotypes(bed, chrom).variants
        table = table.assign(index=np.arange(len(table)), kept=True)
        table.to_parquet(folder / "variants.parquet")
        pruned.append(folder / f"pruned{chrom}.parquet")
        prune(bed, chrom, folder / "variants.parquet", folder / "samples.parquet", WINDOW, pruned[-1])
    return request.param, folder, bed, SETS[request.param], pruned


def stream(real):
    _, folder, bed, chromosomes, pruned = real
    return Pruned(bed, chromosomes, pruned, pd.read_parquet(folder / "samples.parquet")["iid"])


def test_pruned_sets_agree(plink2, real, tmp_path):
    _, _, bed, _, pruned = real
    plink2(bed, tmp_path / "p", "--indep-pairwise", 200, 50, 0.2)
    theirs = set((tmp_path / "p.prune.in").read_text().split())
    ours = set(pd.concat([pd.read_parquet(path)["id"] for path in pruned]))
    assert len(ours) == pytest.approx(len(theirs), rel=0.02)
    assert len(ours & theirs) > 0.9 * len(theirs)


def test_no_pair_above_the_bound_is_left(real):
    _, _, bed, chromosomes, pruned = real
    for chrom, path in zip(chromosomes, pruned, strict=True):
        left = pd.read_parquet(path)["index"].to_numpy()
        calls = open_genotypes(bed, chrom).read(left).astype(float)
        for start in range(0, left.size, 100):
            near = np.flatnonzero((left >= left[start]) & (left < left[start] + 400))
            with np.errstate(invalid="ignore"):
                r2 = np.nan_to_num(np.corrcoef(calls[:, near], rowvar=False)) ** 2
            # every two variants up to window - step apart have once been in one window
            apart = np.abs(np.subtract.outer(left[near], left[near]))
            assert r2[(apart > 0) & (apart <= 150)].max(initial=0) <= 0.2 + 1e-6


def test_king_of_every_pair(plink2, real, tmp_path):
    _, folder, bed, _, pruned = real
    ids = pd.concat([pd.read_parquet(path)["id"] for path in pruned])
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    plink2(bed, tmp_path / "k", "--extract", tmp_path / "ids.txt", "--make-king-table", "cols=id,kinship")
    theirs = pd.read_csv(tmp_path / "k.kin0", sep="\t", dtype={"#IID1": str, "IID2": str})
    theirs = {frozenset(pair): value for *pair, value in theirs.itertuples(index=False)}
    ours = pairs_above(stream(real), -np.inf)
    samples = len(pd.read_parquet(folder / "samples.parquet"))
    assert len(ours) == len(theirs) == samples * (samples - 1) // 2
    expected = [theirs[frozenset(pair)] for pair in zip(ours["iid1"], ours["iid2"], strict=True)]
    np.testing.assert_allclose(ours["kinship"], expected, rtol=0, atol=5e-5)


def test_the_samples_left_without_relatives(plink2, real, tmp_path):
    _, folder, bed, _, pruned = real
    ids = pd.concat([pd.read_parquet(path)["id"] for path in pruned])
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    plink2(bed, tmp_path / "c", "--extract", tmp_path / "ids.txt", "--king-cutoff", 0.0884)
    theirs = len((tmp_path / "c.king.cutoff.in.id").read_text().splitlines()) - 1
    names = pd.read_parquet(folder / "samples.parquet")["iid"].tolist()
    pairs = related_pairs(names, pairs_above(stream(real), 0.0884))
    left = unrelated(names, pairs, 1)
    assert not left[pairs].all(axis=1).any()
    assert left.sum() >= theirs


def test_more_samples_than_plink2_leaves_in_families(plink2, tmp_path):
    # four generations: three quarters of the samples have relatives
    rng = np.random.default_rng(3)
    dosages = simulate(rng, 240, 3000)
    for number in range(60, 240):
        dosages[number] = child(rng, *dosages[rng.integers(max(0, number - 80), number - 10, 2)])
    bed = write_plink(tmp_path / "all.bed", dosages, iids(240))
    table = pd.DataFrame({"index": np.arange(3000)})
    table.to_parquet(tmp_path / "pruned.parquet")
    pairs = related_pairs(iids(240), pairs_above(Pruned(bed, [1], [tmp_path / "pruned.parquet"], iids(240)), 0.0884))
    plink2(bed, tmp_path / "c", "--king-cutoff", 0.0884)
    theirs = len((tmp_path / "c.king.cutoff.in.id").read_text().splitlines()) - 1
    left = unrelated(iids(240), pairs, 1)
    assert len(pairs) > 300
    assert not left[pairs].all(axis=1).any()
    assert left.sum() >= theirs


def test_five_components(plink2, real, tmp_path):
    name, folder, bed, chromosomes, pruned = real
    ids = pd.concat([pd.read_parquet(path)["id"] for path in pruned])
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    plink2(bed, tmp_path / "p", "--extract", tmp_path / "ids.txt", "--pca", 10)
    samples = folder / "samples.parquet"
    principal_components(bed, chromosomes, pruned, samples, None, 10, 1, tmp_path / "pcs.parquet")
    ours = pd.read_parquet(tmp_path / "pcs.parquet")
    theirs = pd.read_csv(tmp_path / "p.eigenvec", sep="\t", dtype={"IID": str}).set_index("IID").loc[ours["iid"]]
    correlation = [abs(np.corrcoef(ours[f"PC{k}"], theirs[f"PC{k}"])[0, 1]) for k in range(1, 6)]
    assert min(correlation) > 0.999, (name, correlation)


def test_components_separate_the_continents(real, tmp_path):
    name, folder, bed, chromosomes, pruned = real
    if name != "1kg_phase1_thinned":
        return
    principal_components(bed, chromosomes, pruned, folder / "samples.parquet", None, 2, 1, tmp_path / "pcs.parquet")
    pcs = pd.read_parquet(tmp_path / "pcs.parquet").set_index("iid")
    # sample numbers of single populations: Yoruba, Luhya; Han, Japanese; Britons, Finns, Tuscans
    number = pcs.index.str[2:].astype(int)
    na = pcs.index.str.startswith("NA")
    africa = na & (((number >= 18486) & (number <= 18520)) | ((number >= 19300) & (number <= 19480)))
    asia = na & (number >= 18525) & (number <= 18620)
    europe = (~na & (number < 390)) | (na & (number >= 20500) & (number <= 20830))
    groups = [pcs[mask] for mask in (africa, asia, europe)]
    assert min(map(len, groups)) > 30
    centres = np.array([group.mean() for group in groups])
    spread = max(np.linalg.norm(group - group.mean(), axis=1).max() for group in groups)
    apart = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * spread
    write_tsv(pd.DataFrame({"iid": groups[2].index[::2]}), tmp_path / "reference.tsv")
    settings = {"reference": str(tmp_path / "reference.tsv"), "pcs": 2, "max_sd": 6.0}
    out = pd.Series(outsiders(pcs.index.to_numpy(dtype=str), settings, tmp_path / "pcs.parquet", 1), pcs.index)
    assert out[groups[0].index].all()
    assert out[groups[1].index].all()
    assert not out[groups[2].index].any()


def test_hardy_weinberg_and_frequencies_of_the_real_sets(plink2, real, tmp_path):
    _, _, bed, chromosomes, _ = real
    plink2(bed, tmp_path / "h", "--hardy", "--freq")
    hardy = pd.read_csv(tmp_path / "h.hardy", sep="\t", dtype={"#CHROM": str})
    frequency = pd.read_csv(tmp_path / "h.afreq", sep="\t")
    ours_p, ours_af, theirs_af = [], [], []
    for chrom in chromosomes:
        genotypes = open_genotypes(bed, chrom)
        calls = genotypes.read(np.arange(len(genotypes.variants)))
        ours_p.append(hwe_exact(*(np.count_nonzero(calls == dosage, axis=0) for dosage in (1, 0, 2))))
        ours_af.append(calls.mean(axis=0) / 2)
        rows = frequency[frequency["#CHROM"] == chrom]
        same = rows["ALT"].to_numpy() == genotypes.variants["effect_allele"].to_numpy()
        theirs_af.append(np.where(same, rows["ALT_FREQS"], 1 - rows["ALT_FREQS"]))
    # plink2 prints six digits
    np.testing.assert_allclose(np.concatenate(ours_p), hardy["P"], rtol=5e-6)
    np.testing.assert_allclose(np.concatenate(ours_af), np.concatenate(theirs_af), atol=1e-6)
