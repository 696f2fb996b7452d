"""Explanations against the ground truth, on made-up files; average precision against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed
from sklearn.metrics import average_precision_score

from contigwas.evaluate.attributions import COLUMNS, ranked, snp_tags, write_attributions
from contigwas.tables.anndata_io import write_modality

SETTINGS = {"r2": 0.3, "seed": 1}


@pytest.fixture
def cohort(tmp_path):
    """20 grid SNPs on two chromosomes and two planted variants off the grid, the first like SNPs 0 and 1."""
    rng = np.random.default_rng(0)
    samples = [f"{i:04d}" for i in range(400)]
    grid = rng.integers(0, 3, (400, 20))
    causal = np.column_stack([grid[:, 0], rng.integers(0, 3, 400)])
    grid[:, 1] = np.where(rng.random(400) < 0.85, causal[:, 0], grid[:, 1])
    chroms = ["1"] * 10 + ["2"] * 10
    var = pd.DataFrame({"chrom": chroms, "pos": range(20)}, index=[f"s{i}" for i in range(20)])
    shuffled = rng.permutation(400)
    write_modality(tmp_path / "snps.h5ad", grid[shuffled].astype(np.int8), pd.Index(samples)[shuffled], var, {})
    properties = {"iid": samples, "sid": ["p1", "p2"], "chromosome": ["1", "2"], "bp_position": [5, 15]}
    properties |= {"allele_1": ["A", "A"], "allele_2": ["G", "G"]}
    to_bed(tmp_path / "g.bed", causal.astype(np.int8), properties=properties)
    truth = pd.DataFrame(
        {"kind": ["planted", "planted", "gene", "polygenic"], "chrom": ["chr1", "2", "2", "1"], "pos": [5, 15, 9, 1],
         "id": ["p1", "p2", "GENE1", "s5"], "latent": "disc", "q2": 0.1}
    )  # fmt: skip
    truth.to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    scores = rng.random(20)
    parts = [
        pd.DataFrame(
            {"method": method, "modality": "snps", "feature": var.index, "name": var.index, "mean_abs": values}
        )
        for method, values in (("deeplift", scores), ("integrated_gradients", np.arange(20)[::-1]))
    ]
    names = ["GENE1", "GENE2", "GENE1", "GENE3"]
    features = [f"{name}.{mask}" for name, mask in zip(names, "aabb", strict=True)]
    parts += [
        pd.DataFrame({"method": "deeplift", "modality": "burden", "feature": features, "name": names,
                      "mean_abs": [0.9, 0.5, 0.1, 0.7]}),
        pd.DataFrame({"method": "deeplift", "modality": "pgs", "feature": ["a"], "name": ["b"], "mean_abs": [1.0]}),
    ]  # fmt: skip
    pd.concat(parts).to_parquet(tmp_path / "features.parquet", index=False)
    return tmp_path, grid, causal, scores


def test_tags_are_squared_correlations_above_the_bound(cohort):
    folder, grid, causal, _ = cohort
    planted = pd.DataFrame({"chrom": ["1", "2"], "pos": [5, 15], "id": ["p1", "p2"]})
    tags = snp_tags(planted, folder / "snps.h5ad", str(folder / "g.bed"), 0.3)
    r2 = np.array([[np.corrcoef(grid[:, i], causal[:, j])[0, 1] ** 2 for j in range(2)] for i in range(20)])
    r2[10:, 0] = r2[:10, 1] = 0
    assert (tags.to_numpy() == (r2 > 0.3)).all()
    assert tags["p1"].sum() == 2 and not tags["p2"].any()


def test_tags_are_those_of_the_right_variant_whatever_the_ids(cohort):
    """Two records of one site and another variant of that chromosome, all without an id; one on a chromosome beside."""
    folder, grid, causal, _ = cohort
    calls = np.column_stack([grid[:, 5], grid[:, 7], causal[:, 0]])
    properties = {"iid": [f"{i:04d}" for i in range(400)], "sid": ["."] * 3, "chromosome": ["1"] * 3}
    properties |= {"bp_position": [1, 5, 5], "allele_1": ["A", "C", "T"], "allele_2": ["G"] * 3}
    to_bed(folder / "h.bed", calls.astype(np.int8), properties=properties)
    planted = pd.DataFrame({"chrom": ["1", "1", "Y"], "pos": [5, 5, 5], "id": ".", "effect_allele": ["T", "G", "T"]})
    planted["other_allele"] = ["G", "C", "G"]
    tags = snp_tags(planted, folder / "snps.h5ad", str(folder / "h.bed"), 0.3)
    assert [np.flatnonzero(column).tolist() for column in tags.to_numpy().T] == [[0, 1], [7], []]


def test_average_precision_of_every_method_and_modality_that_the_truth_speaks_of(cohort):
    folder, _, _, scores = cohort
    out = folder / "attributions.tsv"
    study = (folder / "truth.tsv", folder / "snps.h5ad", str(folder / "g.bed"), SETTINGS)
    write_attributions({"contig": folder / "features.parquet"}, *study, out)
    got = pd.read_csv(out, sep="\t")
    assert list(got.columns) == COLUMNS
    rows = got.set_index(["modality", "method"])
    assert set(rows.index) == {("snps", "deeplift"), ("snps", "integrated_gradients"), ("burden", "deeplift")}
    positive = np.arange(20) < 2
    assert rows.loc[("snps", "deeplift"), "average_precision"] == pytest.approx(
        average_precision_score(positive, scores)
    )
    assert rows.loc[("snps", "integrated_gradients"), "average_precision"] == 1
    assert rows.loc[("snps", "deeplift"), ["features", "planted", "positives", "share"]].tolist() == [20, 1, 2, 0.1]
    assert rows.loc[("burden", "deeplift"), "average_precision"] == pytest.approx((1 + 2 / 4) / 2)


def test_without_a_truth_or_explanations_there_is_a_header_only(tmp_path):
    for explanations, truth in (({}, "t"), ({"contig": "f"}, None)):
        write_attributions(explanations, truth, None, "", SETTINGS, tmp_path / "a.tsv")
        assert len(pd.read_csv(tmp_path / "a.tsv", sep="\t")) == 0


def test_ties_are_counted_as_scikit_learn_counts_them_and_the_interval_holds_the_value():
    rng = np.random.default_rng(2)
    found = rng.random((300, 12)) < 0.01
    scores = np.round(rng.random(300) + found.any(axis=1), 1)
    got = ranked(scores, found, 0)
    assert got["average_precision"] == pytest.approx(average_precision_score(found.any(axis=1), scores))
    assert got["low"] < got["average_precision"] < got["high"]


def test_fewer_than_five_causes_have_no_interval():
    found, scores = np.eye(40, 5, dtype=bool), np.random.default_rng(5).random(40)
    five, four = ranked(scores, found, 0), ranked(scores, found[:, :4], 0)
    assert [five["planted"], four["planted"]] == [5, 4]
    assert five["low"] < five["high"]
    assert np.isnan([four["low"], four["high"]]).all() and four["average_precision"] > 0


def test_the_interval_is_that_of_weighted_average_precision():
    """Against scikit-learn with sample weights, variant by variant."""
    rng = np.random.default_rng(3)
    found = rng.random((120, 5)) < 0.05
    scores = rng.random(120) + 0.3 * found.any(axis=1)
    drawn, positive = np.random.default_rng(7), found.any(axis=1)
    found = found[:, found.any(axis=0)]
    values = []
    for _ in range(1000):
        times = np.bincount(drawn.integers(found.shape[1], size=found.shape[1]), minlength=found.shape[1])
        weights = np.array([times[one].mean() if one.any() else 1.0 for one in found])
        values.append(average_precision_score(positive, scores, sample_weight=weights))
    got = ranked(scores, found, 7)
    assert [got["low"], got["high"]] == pytest.approx(np.percentile(values, [2.5, 97.5]))
