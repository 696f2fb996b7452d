"""Parts of the page: methods with citations, loci of hits, pictures, tables that cannot break out."""

import base64
import io
import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from contigwas.config.check import check_config
from contigwas.config.models import methods as methods_of_schema
from contigwas.plots.interactive_points import SCHEMA
from contigwas.report.cohort_flow import explain_untested, image_steps, samples_flow, variant_steps
from contigwas.report.image_data import embed_image
from contigwas.report.inputs import burden_masks, task_summary
from contigwas.report.manhattan import assign_loci, manhattan
from contigwas.report.methods import methods, number_citations
from contigwas.report.methods_models import kind, model_sentences
from contigwas.report.models import loci_table
from contigwas.report.tables import downloads, grouped, table
from contigwas.runtime.atomic_files import write_tsv

LOCI = pd.DataFrame(
    {"locus": [1, 2, 3], "chrom": [1, 1, 2], "pos": [100, 200, 100], "start": [90, 120, 50], "end": [210, 230, 150]}
)


DOWNSTREAM = ("downstream_aptos", "downstream_palm", "downstream_rfmid", "downstream_ukb")


def read(root, name, **changes):
    config = yaml.safe_load((root / name).read_text()) | changes
    check_config(config)
    return config


@pytest.mark.parametrize(
    "name",
    ["config/config.yaml", "tests/config/small.yaml", "tests/config/every_key.yaml", "tests/config/phenotypes.yaml"]
    + [
        f"config/examples/{one}.yaml"
        for one in ("ukb", "contig_paper", "contig_modern", "volumes", "mgi", "autoencoder", *DOWNSTREAM)
    ],
)
def test_every_config_has_methods_whose_citations_are_those_of_the_list(root, name):
    found = methods(read(root, name), {})
    text = " ".join(found.paragraphs)
    numbers = [int(one) for group in re.findall(r"\[([\d, ]+)\]", text) for one in group.split(",")]
    assert "@" not in text and set(numbers) == set(range(1, len(found.references) + 1))
    assert list(dict.fromkeys(numbers)) == sorted(set(numbers)), "in the order of their first use"
    assert "None" not in text and "{" not in text


def test_only_what_was_used_is_cited(root):
    demo = methods(read(root, "config/config.yaml"), {"contig": 3555})
    assert any("ContIG" in one for one in demo.references) and any("msprime" in one for one in demo.references)
    assert any("Captum" in one for one in demo.references)
    assert not any("Barlow" in one or "SmoothGrad" in one for one in demo.references)
    text = " ".join(demo.paragraphs)
    assert "contig 3,555" in text and "p ≤ 5 × 10⁻⁸" in text and "one of every 10 variants" in text
    plain = methods(read(root, "tests/config/phenotypes.yaml"), {})
    assert not any("ContIG" in one or "PyTorch" in one or "Captum" in one for one in plain.references)
    assert "torch" not in plain.packages and "torch" in demo.packages


def test_explanations_are_cited_where_there_are_some(root):
    block = {"methods": ["integrated_gradients"], "baseline": "mean"}
    quiet = methods(read(root, "config/config.yaml", explain=block), {})
    assert not any("SmoothGrad" in one for one in quiet.references) and "noisy" not in " ".join(quiet.paragraphs)
    found = methods(read(root, "config/config.yaml", explain={**block, "noise": {"copies": 4}}), {})
    assert sum("Captum" in one or "Axiomatic" in one or "SmoothGrad" in one for one in found.references) == 3
    assert "with the baseline mean" in " ".join(found.paragraphs) and "captum" in found.packages


CLAIMS = {
    "noise": "over noisy inputs",
    "unetr": "UNETR",
    "unet": "U-Net",
    "probe": "linear probes",
    "knn": "nearest neighbours",
    "finetuned": "fine-tuned networks",
    "scratch": "networks trained from scratch",
    "jackknife": "jackknife over chromosomes",
    "random": "with random weights",
    "elsewhere": "pretrained weights",
    "learned": "a learned temperature, initialised at 0.07",
    "fixed": "a temperature of 0.1",
    "umap": "UMAP",
}
TWENTY_TWO = {"jackknife", "elsewhere", "fixed"}


def claimed(config):
    """The claims of a config, which has all defaults; each with a citation is cited."""
    found = methods(config, {})
    text = " ".join(found.paragraphs)
    claims = {name for name, words in CLAIMS.items() if words in text}
    cites = {"unetr": "Hatamizadeh", "unet": "Ronneberger", "jackknife": "Busing", "umap": "McInnes L, Healy"}
    cites |= {"noise": "SmoothGrad"}
    assert {name for name, word in cites.items() if any(word in one for one in found.references)} == claims & {*cites}
    return claims


@pytest.mark.parametrize(
    ("name", "arms"),
    [
        ("downstream_aptos", {"probe", "knn", "finetuned", "scratch"}),
        ("downstream_palm", {"probe", "knn", "finetuned", "scratch", "unet"}),
        ("downstream_rfmid", {"probe", "knn", "finetuned", "scratch"}),
        ("downstream_ukb", {"probe", "knn", "finetuned"}),
    ],
)
def test_an_example_claims_what_its_keys_ask_for(root, name, arms):
    text = yaml.safe_load((root / f"config/examples/{name}.yaml").read_text())
    assert claimed(read(root, f"config/examples/{name}.yaml")) == TWENTY_TWO | arms
    models = text["models"] | {"imagenet": {"method": "untrained", "image_encoder": "resnet50"}}
    models["contig"] = models["contig"] | {"learn_temperature": True, "temperature": 0.07}
    genotypes = text["genotypes"] | {"chromosomes": [1, 2, 3, 4]}
    explain, plots = {"models": ["contig"], "noise": {"copies": 4}}, {"map": {"method": "umap"}}
    other = read(root, f"config/examples/{name}.yaml", models=models, genotypes=genotypes, explain=explain, plots=plots)
    assert claimed(other) == {"random", "learned", "noise", "umap"} | arms


@pytest.mark.parametrize("arm", ["probe", "knn", "finetuned", "scratch"])
def test_a_regression_claims_its_arms(root, arm):
    task = {"task": "regression", "table": "in/traits.tsv", "column": "age", "arms": [arm]}
    found = claimed(read(root, "config/examples/downstream_ukb.yaml", downstream={"age": task}))
    assert found == TWENTY_TWO | {arm}


def test_a_segmentation_without_arms_is_compared_with_both_networks(root):
    task = {"task": "segmentation", "table": "in/masks.tsv"}
    found = claimed(read(root, "config/examples/downstream_palm.yaml", downstream={"disc": task}))
    assert found == TWENTY_TWO | {"unet", "unetr"}


@pytest.mark.parametrize(
    ("clustered", "words"),
    [({"kmeans", "probe"}, "k-means"), ({"kmeans", "hdbscan"}, "k-means and HDBSCAN [@"), (set(), "")],
)
def test_clusters_are_those_that_were_made(root, clustered, words):
    """Of many samples there is no HDBSCAN, and then it is not cited either."""
    found = methods(read(root, "config/examples/autoencoder.yaml"), {}, clustered)
    text = " ".join(found.paragraphs)
    assert ("Clusters were computed" in text) == bool(words)
    assert f"Clusters were computed from the features by {words.removesuffix('[@')}" in text or not words
    assert ("HDBSCAN" in text) == ("HDBSCAN" in words) == any("Campello" in one for one in found.references)


@pytest.mark.parametrize(("scale", "words"), [("tpm", "log(1 + TPM)"), ("counts", "log(1 + CPM)"), ("log", "")])
def test_expression_entered_as_its_scale_says(root, scale, words):
    block = yaml.safe_load((root / "tests/config/every_key.yaml").read_text())["expression"]
    found = methods(read(root, "tests/config/every_key.yaml", expression=block | {"scale": scale}), {})
    text = " ".join(found.paragraphs)
    assert (
        f"Gene expression was used {f'as {words}' if words else 'on the log scale of its table'}, standardised" in text
    )
    assert text.count("log(1 +") == bool(words)


def test_citations_are_numbered_once():
    texts, references = number_citations(["A [@king] and B [@acat; @king].", "C [@hwe]."])
    assert texts == ["A [1] and B [2, 1].", "C [3]."]
    assert [one.split()[0] for one in references] == ["Manichaikul", "Liu", "Wigginton"]
    with pytest.raises(KeyError):
        number_citations(["D [@nobody]"])


def test_every_method_has_a_name():
    assert all(kind({"method": name}) == one.title for name, one in methods_of_schema().items())


@pytest.mark.parametrize("variational", [False, True])
def test_an_autoencoder_without_a_contrast_is_not_called_contrastive(root, variational):
    recipe = {"method": "contrastive_autoencoder", "variational": variational}
    models = {"with": recipe, "without": recipe | {"contrast": 0}}
    config = read(root, "config/examples/autoencoder.yaml", models=models)
    said = {name: " ".join(model_sentences(config, name, lambda *_: 1)) for name in models}
    what = "variational " * variational
    article = "a" if variational else "an"
    assert said["without"].startswith(f"without is {article} {what}autoencoder of the images.")
    assert "[@contrastive_autoencoder]" not in said["without"]
    assert said["with"].startswith(f"with is a {what}contrastive autoencoder after [@contrastive_autoencoder]")
    assert kind(config["models"]["without"]) == f"{what}autoencoder"
    assert kind(config["models"]["with"]) == f"{what}contrastive autoencoder"


def test_a_hit_belongs_to_the_locus_that_shows_it():
    hits = pd.DataFrame({"chrom": ["1", "1", "1", "2", "2", "3"], "pos": [105, 180, 400, 140, 9000, 100]})
    for found, drawn in (assign_loci(hits, LOCI, 500), assign_loci(hits.iloc[::-1], LOCI, 500)):
        assert sorted(found.tolist()) == [0, 0, 1, 2, 2, 3] and drawn.tolist() == (found > 0).tolist()
    assert assign_loci(hits, LOCI, 500)[0].tolist() == [1, 2, 2, 3, 0, 0]
    assert assign_loci(hits, LOCI.iloc[:0], 500)[0].tolist() == [0] * 6


def test_a_hit_of_a_long_clump_belongs_to_a_plot_that_shows_it():
    loci = pd.DataFrame(
        {"locus": [7, 8], "chrom": [1, 1], "pos": [1000, 9000], "start": [900, 8900], "end": [20_000, 9100]}
    )
    hits = pd.DataFrame({"chrom": ["1"] * 4, "pos": [1400, 5000, 8700, 15_000]})
    found, drawn = assign_loci(hits, loci, 500)
    assert found.tolist() == [7, 7, 8, 7], "the third is in the span of 7, but only the plot of 8 shows it"
    assert drawn.tolist() == [True, False, True, False]


def test_the_loci_of_hits_are_those_of_a_search_one_by_one():
    rng = np.random.default_rng(5)
    pos = rng.integers(1, 200_000, 40)
    loci = pd.DataFrame({"locus": range(1, 41), "chrom": rng.integers(1, 4, 40), "pos": pos})
    loci = loci.assign(start=pos - rng.integers(0, 9000, 40), end=pos + rng.integers(0, 9000, 40))
    hits = pd.DataFrame({"chrom": rng.integers(1, 5, 300).astype(str), "pos": rng.integers(1, 200_000, 300)})

    def search(chrom, at):
        there = [one for one in loci.itertuples() if str(one.chrom) == chrom]
        inside = [one for one in there if one.start <= at <= one.end]
        near = [one for one in there if abs(one.pos - at) <= 3000]
        both = [one for one in inside if one in near]
        best = min(both or near or inside, key=lambda one: abs(one.pos - at), default=None)
        return (best.locus if best else 0, bool(near))

    expected = [search(*one) for one in zip(hits["chrom"], hits["pos"], strict=True)]
    found, drawn = assign_loci(hits, loci, 3000)
    assert list(zip(found.tolist(), drawn.tolist(), strict=True)) == expected
    assert {0} < set(found.tolist()) and {*drawn.tolist()} == {True, False}


def test_a_figure_keeps_its_pixels_and_loses_its_notes(tmp_path):
    rng = np.random.default_rng(0)
    flat = np.repeat(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8).repeat(20, 0), 20, 1)
    Image.fromarray(flat).save(tmp_path / "flat.png")
    found = embed_image(tmp_path / "flat.png")
    raw = base64.b64decode(found.uri.split(",")[1])
    assert (np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")) == flat).all()
    assert (found.width, found.height) == (120, 80)
    shaded = np.add.outer(np.arange(300), np.arange(300))[..., None] * [0.3, 0.4, 0.2] + rng.normal(0, 6, (300, 300, 3))
    Image.fromarray(shaded.clip(0, 255).astype(np.uint8)).save(tmp_path / "photo.png")
    small = base64.b64decode(embed_image(tmp_path / "photo.png").uri.split(",")[1])
    assert len(small) < (tmp_path / "photo.png").stat().st_size / 2


def test_a_figure_that_is_too_wide_is_shrunk(tmp_path):
    Image.new("RGB", (20_000, 40), "navy").save(tmp_path / "wide.png")
    found = embed_image(tmp_path / "wide.png")
    assert (found.width, found.height) == (16_383, 33)
    assert Image.open(io.BytesIO(base64.b64decode(found.uri.split(",")[1]))).size == (16_383, 33)


def test_names_from_files_cannot_break_out_of_the_page(tmp_path):
    evil = '</script><img src=x onerror="alert(1)">'
    assert "<img" not in table(pd.DataFrame({evil: [evil]}), evil)
    assert "<img" not in downloads(pd.DataFrame({"a": [evil]}), evil)
    points = pd.DataFrame({"test": "manova", "chrom": "1", "pos": [5], "id": evil, "effect_allele": "A"})
    points = points.assign(other_allele="G", log10p=9.0, hit=True, feature="E1", beta=0.1)
    with pq.ParquetWriter(tmp_path / "points.parquet", SCHEMA) as writer:
        writer.write_table(pa.Table.from_pandas(points, SCHEMA, preserve_index=False))
        writer.add_key_value_metadata({"contigwas": '{"tested": {"manova": 1}, "chromosomes": ["1"]}'})
    found = manhattan(tmp_path / "points.parquet", LOCI, "contig", 5e-8, 500)
    worse = "<!--<script" + evil
    pq.write_table(
        pa.Table.from_pandas(points.assign(id=worse), SCHEMA, preserve_index=False).replace_schema_metadata(
            {"contigwas": '{"tested": {"manova": 1}, "chromosomes": ["1"]}'}
        ),
        tmp_path / "worse.parquet",
    )
    reported = manhattan(tmp_path / "worse.parquet", LOCI, "contig", 5e-8, 500).points
    assert "<" not in reported and json.loads(reported)["tests"]["manova"]["hits"]["id"] == [worse]
    assert "</script" not in found.points + found.plot and found.hits == found.tested == 1


def test_a_small_beta_of_a_locus_keeps_its_digits():
    one = {"locus": 1, "chrom": "1", "pos": 5, "lead_id": "rs1", "effect_allele": "A", "other_allele": "G", "eaf": 0.2}
    one |= {"log10p": 9.0, "best_feature": "E1", "beta": -0.00041237, "se": 0.0000612349, "genes": ""}
    html = loci_table("contig", pd.DataFrame([one]), {1})
    assert "<td>-0.0004124</td>" in html and "<td>6.123e-05</td>" in html and "<td>0.200</td>" in html


def test_large_numbers_are_shown_in_full():
    values = pd.DataFrame({"tested": [41_234, None, 7], "share": [0.123456, 9999.4, 3.0]})
    html = table(values)
    assert [found for found in re.findall(r"<td>(.*?)</td>", html)] == ["41,234", "0.1235", "", "9999", "7", "3"]


def test_variants_are_counted_over_chromosomes():
    chromosomes = pd.DataFrame(
        {"chromosome": ["1", "2"], "variants": [10, 5], "kept": [7, 5], "maf": [3, 0], "hwe": [0, 0]}
    )
    first, last = variant_steps(chromosomes, external=False)
    assert (first.count, last.count) == (15, 12)
    assert list(first.excluded) == [("low minor-allele frequency", 3)]


CONTIG = {"method": "contig", "modalities": ["snps"]}


@pytest.mark.parametrize(
    ("recipe", "training"),
    [
        ({**CONTIG, "folds": 1}, True),
        ({**CONTIG, "folds": 3}, False),
        (CONTIG, False),
        ({"method": "simclr"}, False),
        ({"apply": "in/frozen"}, True),
        ({"embeddings": "in/embeddings.h5ad"}, False),
    ],
)
def test_samples_of_the_training_are_among_the_untested_only_where_a_network_trained_on_them(root, recipe, training):
    models = {"one": recipe, "traits": {"phenotypes": "in/traits.tsv"}}
    changes = {"explain": {"models": ["contig"]}, "models": models | {"contig": CONTIG}}
    config = read(root, "tests/config/every_key.yaml", downstream={}, **changes)
    assert ("or the network was trained on them" in explain_untested(config)) == training
    assert explain_untested(config).startswith("the other samples have a missing image, covariate or feature")


def test_few_samples_are_not_counted_in_the_flow(tmp_path):
    iids = [f"{number}" for number in range(100)]
    named = pd.DataFrame({"fid": iids, "iid": iids, "sex": 1, "genotypes": [1] * 98 + [0] * 2, "images": 0})
    write_tsv(named, tmp_path / "candidates.tsv")
    excluded = ["call rate"] * 37 + ["sex"] * 3 + [""] * 60
    cohort = pd.DataFrame({"iid": iids, "exclusion": excluded, "gwas_included": [0] * 44 + [1] * 56})
    write_tsv(cohort, tmp_path / "cohort.tsv")
    steps, sources, models = samples_flow(tmp_path / "candidates.tsv", tmp_path / "cohort.tsv", {"a": 54, "b": 50})
    assert [step.count for step in steps] == [100, 60, 56]
    assert steps[0].excluded == [("low call rate", ">=30"), ("genetic sex differs from the reported sex", "<5")]
    assert steps[1].excluded == [("related to a tested sample", "<5")]
    assert sources["samples"].tolist() == [98, 0] and models["not tested"].tolist() == ["<5", 6]
    assert [grouped(one) for one in ["<5", 6000]] == ["<5", "6,000"]
    pictures = pd.DataFrame({"kept": [False] * 13 + [True] * 87, "reason": ["black"] * 4 + ["blurred"] * 9 + [""] * 87})
    pictures.to_parquet(tmp_path / "images.parquet")
    first, last = image_steps(tmp_path / "images.parquet")
    assert {why: count for why, count in first.excluded}["black"] == "<5" and (first.count, last.count) == (100, 87)
    assert 9 not in [count for _, count in first.excluded], "4 would be what is left of 13"


def test_few_carriers_of_a_gene_are_not_counted(tmp_path):
    var = pd.DataFrame({"gene": list("ABCDE"), "variants": 1}, index=list("ABCDE"))
    var = var.assign(mask=["lof"] * 2 + ["missense"] * 3, carriers=[4, 1200, 0, 0, 3])
    ad.AnnData(np.zeros((1, 5), np.float32), var=var).write_h5ad(tmp_path / "burden.h5ad")
    found = burden_masks(tmp_path / "burden.h5ad")
    assert found["median carriers per gene"].tolist() == ["<5", 0]
    assert found["maximum carriers per gene"].tolist() == [1200, "<5"]


def test_single_classes_of_a_task_stay_in_its_file(tmp_path):
    rows = [
        ("probe", 1.0, None, "auroc", 0.7),
        ("probe", 1.0, None, "auroc:2", 0.9),
        ("probe", 1.0, None, "r2:age", 0.3),
        ("probe", 1.0, 0, "auroc", 0.7),
    ]
    pd.DataFrame(rows, columns=["arm", "share", "seed", "metric", "value"]).to_csv(
        tmp_path / "t.tsv", sep="\t", index=False
    )
    assert task_summary(tmp_path / "t.tsv")["metric"].tolist() == ["auroc", "r2:age"]
