"""KING-robust against its definition, pair by pair."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from contigwas.genotypes import king
from contigwas.genotypes.kinship import chance_level, kinship, pairs_above
from contigwas.genotypes.pruned import Pruned
from contigwas.runtime.errors import UserError
from tests.plink_files import child, iids, simulate, write_plink, write_samples


def definition(one: np.ndarray, other: np.ndarray) -> float:
    """Manichaikul et al. 2010, equation 11, by counting."""
    both = (one >= 0) & (other >= 0)
    one, other = one[both].astype(int), other[both].astype(int)
    shared_hets = np.sum((one == 1) & (other == 1))
    opposite = np.sum(np.abs(one - other) == 2)
    hets = sorted([np.sum(one == 1), np.sum(other == 1)])
    return (shared_hets - 2 * opposite) / (2 * hets[0]) + 0.5 - (hets[0] + hets[1]) / (4 * hets[0])


@pytest.fixture(scope="module", params=[0.0, 0.03])
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("king")
    rng = np.random.default_rng(11)
    dosages = np.hstack([simulate(rng, 90, 700, fst=0.05) for _ in range(2)])
    dosages[10] = child(rng, dosages[0], dosages[1])
    dosages[80] = child(rng, dosages[71], dosages[72])
    dosages[50] = dosages[20]
    dosages[rng.random(dosages.shape) < request.param] = -127
    order = rng.permutation(90)
    names = iids(90)
    write_plink(folder / "chr1.bed", dosages[:, :700], names, 1)
    write_plink(folder / "chr2.bed", dosages[order, 700:], [names[one] for one in order], 2)
    write_samples(folder, names)
    for chrom in (1, 2):
        pd.DataFrame({"index": range(0, 700, 2)}).to_parquet(folder / f"pruned{chrom}.parquet")
    return folder, dosages[:, np.r_[0:700:2, 700:1400:2]]


def stream(folder):
    pruned = [folder / "pruned1.parquet", folder / "pruned2.parquet"]
    return Pruned(folder / "chr{chrom}.bed", [1, 2], pruned, iids(90))


def run(folder, limit):
    pruned = [folder / "pruned1.parquet", folder / "pruned2.parquet"]
    kinship(folder / "chr{chrom}.bed", [1, 2], pruned, folder / "samples.parquet", limit, folder / "out.parquet")
    return pd.read_parquet(folder / "out.parquet")


@pytest.mark.parametrize(("tile", "part", "pairs"), [(17, 9, 2000), (2048, 4096, 2**24)])
def test_every_pair(study, monkeypatch, tile, part, pairs):
    folder, dosages = study
    monkeypatch.setattr(king, "TILE", tile)
    monkeypatch.setattr(king, "PART", part)
    monkeypatch.setattr(king, "PAIR_BYTES", pairs)
    found = pairs_above(stream(folder), -np.inf).set_index(["iid1", "iid2"])["kinship"]
    names = iids(90)
    expected = {(names[a], names[b]): definition(dosages[a], dosages[b]) for a in range(90) for b in range(a + 1, 90)}
    assert set(found.index) == set(expected)
    np.testing.assert_allclose(found.loc[list(expected)], list(expected.values()), atol=1e-6)


def test_only_relatives_are_written(study):
    folder, _ = study
    found = run(folder, 0.17)  # chance pairs spread by 0.03 with so few variants
    names = iids(90)
    pairs = {(0, 10), (1, 10), (20, 50), (71, 80), (72, 80)}
    assert {tuple(pair) for pair in found[["iid1", "iid2"]].to_numpy()} == {(names[a], names[b]) for a, b in pairs}
    assert found["kinship"].max() > 0.45


def test_chance_level_follows_the_spread_of_unrelated_pairs(study):
    folder, _ = study
    values = pairs_above(stream(folder), -np.inf)["kinship"].to_numpy()
    same_population = values[values > np.median(values) - 0.1]
    spread = np.std(same_population[same_population < 0.15])
    assert chance_level(stream(folder)) == pytest.approx(norm.isf(2 / (90 * 89)) * spread, rel=0.3)


def test_a_small_genome_makes_no_relatives(tmp_path, caplog):
    # 300 copies of 12 independent variants: at 0.0884 a tenth of all pairs would be relatives.
    rng = np.random.default_rng(12)
    write_plink(tmp_path / "chr1.bed", np.repeat(simulate(rng, 200, 12), 25, axis=1), iids(200))
    write_samples(tmp_path, iids(200))
    pd.DataFrame({"index": range(300)}).to_parquet(tmp_path / "pruned.parquet")
    arguments = [tmp_path / "chr{chrom}.bed", [1], [tmp_path / "pruned.parquet"]]
    assert len(pairs_above(Pruned(*arguments, iids(200)), 0.0884)) > 1000
    kinship(*arguments, tmp_path / "samples.parquet", 0.0884, tmp_path / "out.parquet")
    assert len(pd.read_parquet(tmp_path / "out.parquet")) < 10
    assert "too few to tell a kinship of 0.0884 from chance among 200 samples" in caplog.text


def test_no_variant_left(study):
    folder, _ = study
    empty = folder / "empty.parquet"
    pd.DataFrame({"index": np.empty(0, int)}).to_parquet(empty)
    with pytest.raises(UserError, match="no variant is left after pruning"):
        kinship(folder / "chr{chrom}.bed", [1], [empty], folder / "samples.parquet", 0.1, folder / "none.parquet")
    assert not (folder / "none.parquet").exists()


def test_samples_the_genotypes_lack(study, tmp_path):
    folder, _ = study
    write_samples(tmp_path, [*iids(90), "5000000"])
    with pytest.raises(UserError, match="lacks 1 of 91 samples"):
        kinship(
            folder / "chr{chrom}.bed", [1], [folder / "pruned1.parquet"], tmp_path / "samples.parquet", 0.1,
            tmp_path / "out.parquet",
        )  # fmt: skip
