"""Loci against the truth, and probes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed

from contigwas.errors import UserError
from contigwas.evaluate.probes import probe
from contigwas.evaluate.truth import compare, linkage, read_truth

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
    return pd.DataFrame(rows, columns=["lead_id", "chrom", "pos"])


def test_a_planted_variant_is_found_by_a_near_lead_on_its_own_chromosome():
    found = compare(loci(("x", "1", 150_000), ("y", "2", 100_000)), PLANTED, PLANTED, {}, kb=100, least=0.1)
    assert found.planted["found"].tolist() == [1, 0, 0]
    assert found.planted["lead_id"].tolist() == ["x", "", ""]
    assert found.false_loci == 1


def test_a_planted_variant_counts_once_and_ld_counts_as_near():
    table = loci(("x", "1", 120_000), ("y", "1", 90_000), ("z", "2", 900_000))
    found = compare(table, PLANTED, PLANTED, {("z", "c"): 0.3, ("y", "b"): 0.05}, kb=100, least=0.1)
    assert found.planted["found"].tolist() == [1, 0, 1]
    assert found.false_loci == 0


def test_large_polygenic_variants_are_not_false(tmp_path):
    extra = PLANTED.iloc[[2]].assign(kind="polygenic", id="p", pos=2_000_000, q2=0.01)
    small = extra.assign(id="s", pos=4_000_000, q2=0.0007)
    pd.concat([PLANTED, extra, small]).to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    planted, large = read_truth(tmp_path / "truth.tsv", 0.005)
    assert planted["id"].tolist() == ["a", "b", "c"]
    found = compare(loci(("x", "2", 2_000_001), ("y", "2", 4_000_000)), planted, large, {}, kb=100, least=0.1)
    assert found.planted["found"].sum() == 0
    assert found.false_loci == 1


def test_linkage_is_the_squared_correlation(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 50)
    genotypes = np.column_stack([first, np.where(rng.random(50) < 0.8, first, 0), rng.integers(0, 3, 50)])
    people = [f"{i:04d}" for i in range(50)]
    properties = {"iid": people, "sid": ["x", "a", "b"], "chromosome": ["1"] * 3, "bp_position": [1, 2, 3]}
    to_bed(tmp_path / "g.bed", genotypes.astype(np.int8), properties=properties)
    pairs = linkage(str(tmp_path / "g.bed"), loci(("x", "1", 1)), PLANTED, pd.Index(people[:40]))
    expected = np.corrcoef(genotypes[:40, 0], genotypes[:40, 1])[0, 1] ** 2
    assert pairs[("x", "a")] == pytest.approx(expected)
    assert set(pairs) == {("x", "a"), ("x", "b")}


def test_a_probe_sees_signal_and_no_signal(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(300, 8)).astype(np.float32)
    people = pd.Index([f"{i:04d}" for i in range(300)])
    obs = pd.DataFrame({"tested": [True] * 250 + [False] * 50}, index=people)
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "e.h5ad")
    latents = pd.DataFrame({"seen": features @ rng.normal(size=8), "unseen": rng.normal(size=300)}, index=people)
    latents = latents.sample(frac=1, random_state=0)
    got = probe(tmp_path / "e.h5ad", latents, seed=0).set_index("latent")
    assert got.loc["seen", "r2"] > 0.95
    assert got.loc["unseen", "r2"] < 0.05
    assert (got["people"] == 250).all()
    features[[2, 9], 3] = np.nan
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "e.h5ad")
    with pytest.raises(UserError, match="no finite numbers, of 2 of 250 tested people") as told:
        probe(tmp_path / "e.h5ad", latents, seed=0)
    assert "0002" not in str(told.value)
