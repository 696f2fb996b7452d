"""The points of the page: every hit of every test, with the feature that it moves most, and few others."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from contigwas.plots.interactive_points import CELLS, choose_tests, write_points
from contigwas.runtime.errors import UserError
from tests.unit.plots_data import P1, write_gwas, write_summary

SETTINGS = {"test": "manova", "p1": P1, "features": 2}
THRESHOLD = np.float32(-np.log10(P1))


@pytest.fixture
def study(tmp_path):
    gwas = write_gwas(tmp_path, 3, 4000, hits=6, seed=3)
    for number, path in enumerate(gwas.values()):
        table = pd.read_parquet(path)
        rng = np.random.default_rng(number)
        table["beta_E1"] = rng.normal(size=len(table)).astype(np.float32)
        table["beta_E2"] = rng.normal(size=len(table)).astype(np.float32)
        table.loc[::2, ["log10p_E1", "log10p_E2"]] = table.loc[::2, ["log10p_E2", "log10p_E1"]].to_numpy()
        table.to_parquet(path, index=False, row_group_size=700)
    everything = pd.concat([pd.read_parquet(path).assign(chrom=chrom) for chrom, path in gwas.items()])
    values = {name: everything[f"log10p_{name}"].to_numpy() for name in ("E1", "E2", "manova")}
    return tmp_path, gwas, everything, write_summary(tmp_path / "summary.parquet", values)


def test_every_hit_is_kept_with_its_best_feature_and_beta(study):
    folder, gwas, everything, summary = study
    write_points(gwas, [summary], SETTINGS, folder / "points.parquet")
    points = pd.read_parquet(folder / "points.parquet").astype({"test": str, "feature": str, "chrom": str})
    assert list(dict.fromkeys(points["test"])) == ["manova", "E1", "E2"]
    known = everything.set_index("id")
    for test, rows in points.groupby("test"):
        assert set(rows.loc[rows["hit"], "id"]) == set(known.index[known[f"log10p_{test}"] >= THRESHOLD])
        assert np.allclose(rows["log10p"], known.loc[rows["id"], f"log10p_{test}"])
        assert all(one["pos"].is_monotonic_increasing for _, one in rows.groupby("chrom"))
    hits = points[points["hit"] & (points["test"] == "manova")].set_index("id")
    assert len(hits) == 18
    for name, row in hits.iterrows():
        best = max(("E1", "E2"), key=lambda one, name=name: known.loc[name, f"log10p_{one}"])
        assert row["feature"] == best and row["beta"] == known.loc[name, f"beta_{best}"]
    assert set(hits["feature"]) == {"E1", "E2"}
    single = points[points["test"] == "E2"]
    assert set(single["feature"]) == {"E2"} and np.allclose(single["beta"], known.loc[single["id"], "beta_E2"])
    assert points.loc[~points["hit"] & (points["test"] == "manova"), "beta"].isna().all()


def test_metadata_has_the_numbers_of_tested_variants(study):
    folder, gwas, _, summary = study
    table = pd.read_parquet(gwas["2"])
    table.loc[:9, "log10p_E1"] = np.nan
    table.to_parquet(gwas["2"], index=False)
    write_points(gwas, [summary], SETTINGS, folder / "points.parquet")
    notes = json.loads(pq.read_metadata(folder / "points.parquet").metadata[b"contigwas"])
    assert notes["tested"] == {"manova": 12000, "E1": 11990, "E2": 12000}
    assert notes["chromosomes"] == ["1", "2", "3"]


def test_a_hundred_thousand_variants_become_as_many_points_as_cells_hold(tmp_path):
    gwas = write_gwas(tmp_path, 1, 100_000, hits=300, seed=4)
    table = pd.read_parquet(gwas["1"])
    summary = write_summary(tmp_path / "s.parquet", {"manova": table["log10p_manova"].to_numpy()})
    write_points(gwas, [summary], {**SETTINGS, "features": 0}, tmp_path / "points.parquet")
    points = pd.read_parquet(tmp_path / "points.parquet")
    assert points["hit"].sum() == 300 and len(points) - 300 <= CELLS[0] * CELLS[1]
    assert len(points) < 20_000


def test_the_features_of_the_smallest_p(tmp_path):
    rng = np.random.default_rng(1)
    names = [f"F{number}" for number in range(5)]
    values = {name: np.append(rng.random(50), 3 + 2 * (number % 3)) for number, name in enumerate(names)}
    table = pd.DataFrame({f"log10p_{name}": one.astype(np.float32) for name, one in values.items()})
    table["log10p_minp"] = np.float32(1)
    table["log10p_acat"] = np.float32(1)
    table.to_parquet(tmp_path / "chr1.parquet")
    summary = write_summary(tmp_path / "s.parquet", values)
    assert choose_tests(tmp_path / "chr1.parquet", [summary], "acat", 1) == ["acat", "minp", "F2"]
    assert choose_tests(tmp_path / "chr1.parquet", [summary], "minp", 3) == ["minp", "acat", "F1", "F2", "F4"]
    assert choose_tests(tmp_path / "chr1.parquet", [summary], "F3", 0) == ["F3", "minp", "acat"]
    with pytest.raises(UserError, match="has no test manova: set loci.test to one of gwas.tests"):
        choose_tests(tmp_path / "chr1.parquet", [summary], "manova", 2)


def test_no_variant_with_a_p_value(tmp_path):
    gwas = write_gwas(tmp_path, 2, 50)
    for path in gwas.values():
        pd.read_parquet(path).assign(log10p_manova=np.float32("nan")).to_parquet(path, index=False)
    summary = write_summary(tmp_path / "s.parquet", {"manova": np.empty(0)})
    write_points(gwas, [summary], {**SETTINGS, "features": 0}, tmp_path / "points.parquet")
    assert pd.read_parquet(tmp_path / "points.parquet").empty
