"""Pruning: what is left is free of pairs in linkage disequilibrium, and nothing was dropped without cause."""

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.long_range_ld import in_long_range_ld
from contigwas.genotypes.prune import prune
from contigwas.runtime.errors import UserError
from tests.plink_files import iids, simulate, write_plink, write_samples


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prune")
    dosages = simulate(np.random.default_rng(7), 400, 90, missing=0.01, blocks=5)
    dosages[:, 44] = 1
    write_plink(folder / "chr1.bed", dosages, iids(400))
    write_samples(folder, iids(400))
    table = pd.DataFrame({"id": [f"rs1_{number}" for number in range(90)], "index": range(90), "kept": True})
    table.loc[[3, 50], "kept"] = False
    table.to_parquet(folder / "variants.parquet")
    return folder, dosages


def run(study, samples=None, **settings):
    folder, _ = study
    settings = {"window": 20, "step": 5, "r2": 0.2, "long_range_ld": "keep", "build": "GRCh37", **settings}
    prune(
        folder / "chr{chrom}.bed", 1, folder / "variants.parquet", samples or folder / "samples.parquet", settings,
        folder / "pruned.parquet",
    )  # fmt: skip
    return pd.read_parquet(folder / "pruned.parquet")["index"].to_numpy()


def correlations(dosages):
    values = np.where(dosages < 0, np.nan, dosages.astype(float))
    values = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.corrcoef(values, rowvar=False) ** 2)


def test_what_is_left(study):
    left = run(study)
    r2 = correlations(study[1])
    assert not {3, 50} & set(left)
    assert 44 in left
    near = np.abs(np.subtract.outer(left, left)) <= 15
    assert (r2[np.ix_(left, left)][near & ~np.eye(left.size, dtype=bool)] <= 0.2).all()
    gone = np.setdiff1d(np.arange(90), [*left, 3, 50])
    assert gone.size > 50
    assert (r2[gone].copy() > 0.2).sum(axis=1).min() > 1


def test_the_more_frequent_of_a_pair_stays(tmp_path):
    rng = np.random.default_rng(8)
    base = rng.binomial(2, 0.4, 500).astype(np.int8)
    rarer = np.where(rng.random(500) < 0.1, 0, base).astype(np.int8)
    write_plink(tmp_path / "chr1.bed", np.column_stack([rarer, base]), iids(500))
    write_samples(tmp_path, iids(500))
    pd.DataFrame({"index": [0, 1], "kept": True}).to_parquet(tmp_path / "variants.parquet")
    assert run((tmp_path, None)).tolist() == [1]


@pytest.mark.parametrize("step", [1, 7, 20, 300])
def test_any_step(study, step):
    left = run(study, step=step)
    assert 15 <= left.size <= 30
    assert run(study, r2=1.0, step=step).size == 88


def test_only_samples_kept_count(study, tmp_path):
    samples = pd.read_parquet(study[0] / "samples.parquet")
    samples["kept"] = np.arange(400) % 8 == 0
    samples.to_parquet(tmp_path / "samples.parquet")
    left = run(study, samples=tmp_path / "samples.parquet", window=90)
    r2 = correlations(study[1][::8])[np.ix_(left, left)]
    assert r2[~np.eye(left.size, dtype=bool)].max() <= 0.2
    assert set(left) != set(run(study, window=90))


def test_regions_of_long_range_ld_are_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    write_plink(tmp_path / "chr1.bed", simulate(np.random.default_rng(9), 100, 4), iids(100))
    write_samples(tmp_path, iids(100))
    pos = [47_999_999, 48_000_000, 52_000_000, 52_000_001]
    pd.DataFrame({"index": range(4), "kept": True, "pos": pos}).to_parquet(tmp_path / "variants.parquet")
    assert run((tmp_path, None), r2=1.0).tolist() == [0, 1, 2, 3]
    assert run((tmp_path, None), r2=1.0, long_range_ld="drop").tolist() == [0, 3]
    assert "2 of 4 variants are left after pruning; 2 are in regions of long-range LD" in caplog.text


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
def test_the_hla_region_and_the_inversion_of_chromosome_8(build):
    # whatever the build: HLA-DRB1 lies at 32.5 Mb, the inversion 8p23.1 from 8 to 12 Mb
    assert in_long_range_ld("6", np.array([32_550_000]), build).all()
    assert in_long_range_ld(8, np.linspace(8.1e6, 11.8e6, 9), build).all()
    assert not in_long_range_ld(22, np.arange(0, 50_000_000, 1_000_000), build).any()


def test_a_build_without_a_list():
    with pytest.raises(UserError, match="long-range LD of T2T are not known"):
        in_long_range_ld(1, np.array([1]), "T2T")
