"""Loci against the ground truth, and probes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed

from contigwas.evaluate.ground_truth import compare, linkage, read_truth
from contigwas.evaluate.probes import probe
from contigwas.evaluate.shared_loci import shared
from contigwas.runtime.errors import UserError

PLANTED = pd.DataFrame(
    {
        "kind": "planted",
        "chrom": ["1", "1", "2"],
        "pos": [100_000, 900_000, 500_000],
        "id": ["a", "b", "c"],
        "latent": ["disc", "cup", "disc"],
        "q2": 0.05,
    }
)


def loci(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["lead_id", "chrom", "pos", "effect_allele", "other_allele"][: len(rows[0])])


def r2(*rows) -> np.ndarray:
    return np.array(rows, float).reshape(len(rows), -1)


def test_a_planted_variant_is_found_by_a_near_lead_on_its_own_chromosome():
    found = compare(loci(("x", "1", 150_000), ("y", "2", 100_000)), PLANTED, np.zeros((2, 3)), kb=100, least=0.1)
    assert found.planted["found"].tolist() == [1, 0, 0]
    assert found.planted["lead_id"].tolist() == ["x", "", ""]
    assert found.false_loci == 1


def test_a_planted_variant_counts_once_and_ld_counts_as_near():
    table = loci(("x", "1", 120_000), ("y", "1", 90_000), ("z", "2", 900_000))
    found = compare(table, PLANTED, r2([0, 0, 0], [0, 0.05, 0], [0, 0, 0.3]), kb=100, least=0.1)
    assert found.planted["found"].tolist() == [1, 0, 1]
    assert found.planted["lead_id"].tolist() == ["x", "", "z"]
    assert found.false_loci == 0


def test_large_polygenic_variants_are_not_false(tmp_path):
    extra = PLANTED.iloc[[2]].assign(kind="polygenic", id="p", pos=2_000_000, q2=0.01)
    small = extra.assign(id="s", pos=4_000_000, q2=0.0007)
    pd.concat([PLANTED, extra, small]).to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    large = read_truth(tmp_path / "truth.tsv", 0.005)
    assert large["id"].tolist() == ["a", "b", "c", "p"]
    found = compare(loci(("x", "2", 2_000_001), ("y", "2", 4_000_000)), large, np.zeros((2, 4)), kb=100, least=0.1)
    assert found.planted["id"].tolist() == ["a", "b", "c"] and found.planted["found"].sum() == 0
    assert found.false_loci == 1


def test_chromosomes_and_missing_alleles_of_the_truth_are_read_as_those_of_genotypes(tmp_path):
    table = PLANTED.assign(chrom=["chr1", "01", "23"], effect_allele=["a", "NA", "."], other_allele=["G", "NA", "c"])
    table.to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    large = read_truth(tmp_path / "truth.tsv", 0.005)
    assert large["chrom"].tolist() == ["1", "1", "X"]
    assert large["effect_allele"].tolist()[0] == "A" and large["effect_allele"].isna().tolist() == [False, True, True]
    found = compare(loci(("x", "1", 100_000)), large, np.zeros((1, 3)), kb=100, least=0.1)
    assert found.planted["found"].tolist() == [1, 0, 0] and found.false_loci == 0


def test_linkage_is_the_squared_correlation(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 50)
    genotypes = np.column_stack([first, np.where(rng.random(50) < 0.8, first, 0), rng.integers(0, 3, 50)])
    samples = [f"{i:04d}" for i in range(50)]
    properties = {"iid": samples, "sid": ["x", "a", "b"], "chromosome": ["1"] * 3}
    properties |= {"bp_position": [1, 100_000, 900_000], "allele_1": ["A"] * 3, "allele_2": ["G"] * 3}
    to_bed(tmp_path / "g.bed", genotypes.astype(np.int8), properties=properties)
    got = linkage(str(tmp_path / "g.bed"), loci(("x", "1", 1, "A", "G")), PLANTED, pd.Index(samples[:40]))
    expected = [np.corrcoef(genotypes[:40, 0], genotypes[:40, other])[0, 1] ** 2 for other in (1, 2)]
    assert got.shape == (1, 3)
    assert got[0] == pytest.approx([*expected, 0])


@pytest.fixture
def split_sites(tmp_path):
    """Four variants without an id, of which two are records of one site, and their calls."""
    rng = np.random.default_rng(3)
    calls = rng.integers(0, 3, (80, 4))
    calls[:, 3] = np.where(rng.random(80) < 0.8, calls[:, 2], calls[:, 3])
    samples = [f"{i:04d}" for i in range(80)]
    properties = {"iid": samples, "sid": ["."] * 4, "chromosome": ["1"] * 4, "bp_position": [10, 500, 500, 900_000]}
    properties |= {"allele_1": ["A", "C", "T", "A"], "allele_2": ["G", "G", "G", "G"]}
    to_bed(tmp_path / "g.bed", calls.astype(np.int8), properties=properties)
    return str(tmp_path / "g.bed"), np.corrcoef(calls.T) ** 2, pd.Index(samples)


def test_linkage_is_that_of_the_right_variant_whatever_the_ids(split_sites):
    pattern, expected, samples = split_sites
    sites = [
        (".", "1", 10, "A", "G"),
        (".", "1", 500, "C", "G"),
        (".", "1", 500, "T", "G"),
        (".", "1", 900_000, "A", "G"),
    ]
    every = loci(*sites).rename(columns={"lead_id": "id"})
    got = linkage(pattern, loci(*sites), every, samples)
    assert got == pytest.approx(expected, abs=1e-6) and got[0, 3] < 0.3 < got[2, 3]
    swapped = every.rename(columns={"effect_allele": "other_allele", "other_allele": "effect_allele"})
    assert linkage(pattern, loci(*sites), swapped, samples) == pytest.approx(expected, abs=1e-6)
    unnamed = linkage(pattern, loci(*sites), every[["id", "chrom", "pos"]], samples)
    assert unnamed[:, [0, 3]] == pytest.approx(expected[:, [0, 3]], abs=1e-6)
    assert not unnamed[:, [1, 2]].any(), "which of two records is meant is not known"


def test_loci_without_ids_are_shared_where_they_are_linked_alone(split_sites):
    pattern, _, samples = split_sites
    models = {"one": loci((".", "1", 900_000, "A", "G")), "linked": loci((".", "1", 500, "T", "G"))}
    models |= {"beside": loci((".", "1", 500, "C", "G"))}
    table, counts = shared(models, pattern, samples, 0.1, 0.3)
    rows = table.set_index(["model", "other"])["shared"]
    assert rows["one", "linked"] == 1 and rows["one", "beside"] == 0
    assert counts.loc["one"].tolist() == [1, 0]


def test_a_probe_sees_signal_and_no_signal(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(300, 8)).astype(np.float32)
    samples = pd.Index([f"{i:04d}" for i in range(300)])
    obs = pd.DataFrame({"tested": [True] * 250 + [False] * 50}, index=samples)
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "e.h5ad")
    latents = pd.DataFrame({"seen": features @ rng.normal(size=8), "unseen": rng.normal(size=300)}, index=samples)
    latents = latents.sample(frac=1, random_state=0)
    alone = pd.Series(range(300), samples)
    got = probe(tmp_path / "e.h5ad", latents, alone, seed=0).set_index("latent")
    assert got.loc["seen", "r2"] > 0.95
    assert got.loc["unseen", "r2"] < 0.05
    assert (got["n_samples"] == 250).all()
    features[[2, 9], 3] = np.nan
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "e.h5ad")
    with pytest.raises(UserError, match="no finite numbers, of 2 of 250 tested samples") as reported:
        probe(tmp_path / "e.h5ad", latents, alone, seed=0)
    assert "0002" not in str(reported.value)


def test_a_probe_learns_nothing_from_a_samples_family_or_from_the_order_of_samples(tmp_path):
    rng = np.random.default_rng(2)
    samples = pd.Index([f"{i:04d}" for i in range(180)])
    features = (np.repeat(9 * rng.normal(size=(60, 90)), 3, axis=0) + 0.01 * rng.normal(size=(180, 90))).astype("f4")
    latents = pd.DataFrame({"shared": np.repeat(rng.normal(size=60), 3)}, index=samples)
    table = ad.AnnData(features, obs=pd.DataFrame({"tested": True}, index=samples))
    table.write_h5ad(tmp_path / "e.h5ad")
    order = rng.permutation(180)
    table[order].copy().write_h5ad(tmp_path / "other.h5ad")
    families, alone = pd.Series(np.repeat(np.arange(60), 3), samples), pd.Series(range(180), samples)
    apart = probe(tmp_path / "e.h5ad", latents, families, seed=0)["r2"].item()
    assert apart < 0 and probe(tmp_path / "e.h5ad", latents, alone, seed=0)["r2"].item() > 0.3
    again = probe(tmp_path / "other.h5ad", latents.iloc[order[::-1]], (59 - families).iloc[::-1], seed=0)["r2"].item()
    assert again == pytest.approx(apart, abs=1e-9)
    few = probe(tmp_path / "e.h5ad", latents, families % 4, seed=0)
    assert few["r2"].isna().all() and few["n_samples"].tolist() == [180], "fewer families than folds"
