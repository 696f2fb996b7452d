"""The small demo from nothing to loci: the files of the design, and what must be true of them."""

import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from tests.identifiers import named, searched

CROSS_FITTED = "contig"


@pytest.fixture(scope="module")
def results(finished):
    return finished.folder / "results"


def test_every_file_of_the_design_is_there(results):
    expected = ["samples/candidates.tsv", "samples/cohort.tsv", "genotypes/samples.parquet", "genotypes/pcs.parquet"]
    expected += ["genotypes/kinship.parquet", "genotypes/variants/chr1.parquet", "modalities/snps.h5ad"]
    expected += ["modalities/pgs.h5ad", "modalities/pgs_matching.tsv", "modalities/burden.h5ad", "images/images.npy"]
    expected += ["images/images.parquet", "models/contig/fold2/model.ckpt", "models/contig/fold2/history.csv"]
    expected += ["models/contig/embeddings.h5ad", "models/contig/alignment.json", "models/contig/phenotypes.parquet"]
    expected += ["models/contig/pca.h5ad", "models/contig/gwas/chr2.parquet", "models/contig/gwas/chr2.summary.parquet"]
    expected += ["models/latents/followup.tsv"]
    expected += ["models/latents/loci.tsv", "models/contig/plots/manhattan.pdf", "evaluation/models.tsv", "report.html"]
    expected += ["models/contig/plots/map.png", "evaluation/models.pdf", "evaluation/common_samples/samples.tsv"]
    tables = ("planted", "probes", "loci_shared", "calibration", "heritability", "retrieval", "downstream", "cost")
    expected += [f"evaluation/{name}.tsv" for name in (*tables, "attributions")]
    expected += [f"models/latents/plots/{name}" for name in ("features/index.tsv", "regional/index.tsv", "qq.pdf")]
    assert [path for path in expected if not (results / path).stat().st_size] == []
    assert not [path for path in results.rglob(".*.tmp.*")]


def test_nobody_is_embedded_by_a_network_that_trained_on_them(results):
    aligned = ad.read_h5ad(results / f"models/{CROSS_FITTED}/embeddings.h5ad")
    cohort = pd.read_csv(results / "samples/cohort.tsv", sep="\t", dtype={"iid": str}).set_index("iid")
    assert aligned.obs["gwas_eligible"].all()
    assert (aligned.obs["role"] == "heldout").all()
    assert set(aligned.obs["fold"]) == {0, 1, 2}
    assert (cohort.loc[aligned.obs_names, "fold"].to_numpy() == aligned.obs["fold"].to_numpy()).all()
    for fold in range(3):
        roles = ad.read_h5ad(results / f"models/{CROSS_FITTED}/fold{fold}/embeddings.h5ad").obs["role"]
        heldout = set(roles.index[roles == "heldout"])
        assert set(aligned.obs_names[aligned.obs["fold"] == fold]) == heldout
        families = cohort["family"]
        assert not set(families[list(heldout)]) & set(families[roles.index[roles != "heldout"]])


def test_the_held_out_share_alone_is_tested_with_one_fold(results):
    aligned = ad.read_h5ad(results / "models/inner/embeddings.h5ad")
    phenotypes = pd.read_parquet(results / "models/inner/phenotypes.parquet")
    assert 0 < aligned.obs["gwas_eligible"].sum() < len(aligned)
    assert set(phenotypes["iid"]) <= set(aligned.obs_names[aligned.obs["gwas_eligible"].to_numpy(bool)])
    assert phenotypes.shape[1] == 3, "the model's own number of components"


def test_the_true_traits_find_planted_loci(results):
    models = pd.read_csv(results / "evaluation/models.tsv", sep="\t").set_index("model")
    assert models.loc["latents", "planted_found"] >= 2
    assert models.loc["latents", "planted_found"] <= models.loc["latents", "planted"]


def test_models_are_compared_at_the_samples_whom_all_test(results):
    models = pd.read_csv(results / "evaluation/models.tsv", sep="\t").set_index("model")
    samples = {
        name: set(pd.read_parquet(results / f"models/{name}/phenotypes.parquet")["iid"]) for name in models.index
    }
    assert (models["n_common_samples"] == len(set.intersection(*samples.values()))).all()
    assert models.loc["inner", "n_common_samples"] == models.loc["inner", "n_samples"], "the others test these and more"
    for name, row in models.iterrows():
        loci = pd.read_csv(results / f"evaluation/common_samples/{name}/loci.tsv", sep="\t")
        assert row["common_sample_loci"] == len(loci) == row["shared_loci"] + row["private_loci"]
        assert (loci["n"] <= row["n_common_samples"]).all()
    assert models.loc["latents", "common_sample_loci"] > 0
    own = (results / "models/inner/loci.tsv").read_bytes()
    assert (results / "evaluation/common_samples/inner/loci.tsv").read_bytes() == own


def test_training_cost_is_reported_for_every_fold(results):
    cost = pd.read_csv(results / "evaluation/cost.tsv", sep="\t").set_index("model")
    assert cost["folds"].to_dict() == {"contig": 3, "inner": 1, "simclr": 1}
    assert (cost["measured"] == cost["folds"]).all() and (cost["seconds"] > 0).all()


def test_every_locus_has_a_regional_plot_and_its_best_feature_a_manhattan_plot(results):
    loci = pd.read_csv(results / "models/latents/loci.tsv", sep="\t")
    assert 2 <= len(loci) <= 30
    regional = pd.read_csv(results / "models/latents/plots/regional/index.tsv", sep="\t")
    assert sorted(regional["locus"]) == loci["locus"].tolist()
    assert regional["log10p"].is_monotonic_decreasing
    features = pd.read_csv(results / "models/latents/plots/features/index.tsv", sep="\t")
    assert set(features["feature"]) == set(loci["best_feature"])
    for kind, index in (("regional", regional), ("features", features)):
        folder = results / f"models/latents/plots/{kind}"
        names = [f"{name}.{suffix}" for name in index["name"] for suffix in ("pdf", "png")]
        assert all((folder / name).stat().st_size > 5000 for name in names)


def test_the_report_is_small_and_shows_every_locus(results):
    page = (results / "report.html").read_text()
    loci = {path.parent.name: pd.read_csv(path, sep="\t") for path in results.glob("models/*/loci.tsv")}
    assert page.count('alt="Regional plot of chromosome ') == sum(min(len(one), 30) for one in loci.values()) > 0
    assert len(page) < 15e6
    elements = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="(?!data:|#)', elements), "nothing is fetched"


def test_every_variant_beyond_the_threshold_is_on_the_page(results):
    points = pd.read_parquet(results / "models/latents/plots/points.parquet")
    hits = points[points["hit"] & (points["test"] == "manova")]
    gwas = pd.concat(pd.read_parquet(results / f"models/latents/gwas/chr{chrom}.parquet") for chrom in (1, 2))
    expected = gwas[gwas["log10p_manova"] >= np.float32(5)]
    assert sorted(hits["id"]) == sorted(expected["id"]) and len(hits) > 5
    row = expected.loc[expected["log10p_manova"].idxmax()]
    shown = hits.set_index("id").loc[row["id"]]
    traits = [name.removeprefix("log10p_") for name in gwas if name.startswith("log10p_")][:6]
    assert shown["feature"] == max(traits, key=lambda name: row[f"log10p_{name}"])
    assert shown["beta"] == pytest.approx(row[f"beta_{shown['feature']}"])


def test_alignment_improves_the_agreement_of_folds(results):
    folds = json.loads((results / f"models/{CROSS_FITTED}/alignment.json").read_text())["folds"]
    assert [one["fold"] for one in folds] == [0, 1, 2]
    for one in folds[1:]:
        assert one["mean_correlation_after"] > one["mean_correlation_before"] + 0.2


def test_the_gwas_table_is_one_row_a_variant(results):
    for model in ("contig", "latents"):
        table = pd.read_parquet(results / f"models/{model}/gwas/chr1.parquet")
        assert table["pos"].is_monotonic_increasing
        assert table["id"].is_unique
        assert {"log10p_minp", "log10p_manova", "log10p_acat", "flag", "n", "eaf"} <= set(table.columns)
        assert np.isfinite(table.loc[table["flag"] == "", "log10p_manova"]).all()


def test_no_sample_is_named_where_nobody_may_be(results):
    """Every file is searched but those that hold samples by design: the page, logs, figures, tables, checkpoints."""
    samples = pd.read_csv(results / "samples/candidates.tsv", sep="\t", dtype=str)["iid"]
    files = searched(results)
    assert {path.suffix for path in files} >= {".html", ".log", ".png", ".pdf", ".tsv", ".parquet", ".ckpt", ".json"}
    assert results / "report.html" in files and len(files) > 150
    assert named(files, samples) == []
    private = results / "private"
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / "images_dropped.tsv").stat().st_size
