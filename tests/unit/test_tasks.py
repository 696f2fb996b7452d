"""Downstream tasks of a config: what is filled in, which models take part, and keys that contradict each other."""

from pathlib import Path

import pytest
import yaml

from contigwas.config import downstream as tasks
from contigwas.config.check import check_config
from contigwas.config.settings import job_settings
from contigwas.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
GENES = {"name": "a", "encoder": "pretrained", "fusion": "film"}
ASKS = GENES | {"fusion": "cross_attention"}
MGI = {"method": "mgi", "modalities": ["pgs"], "image_encoder": "resnet10", "width": 8}


def config(task=None, images=None, **models):
    found = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text())
    found["images"] |= images or {}
    found["models"] |= {"pixels": {"method": "pixel_pca"}} | models
    found["downstream"] = {"tumour": {"task": "segmentation", "table": "masks.tsv", **(task or {})}}
    check_config(found)
    return found


def refused(*arguments, **models) -> str:
    with pytest.raises(UserError) as error:
        config(*arguments, **models)
    return str(error.value)


def test_size_and_crop_are_those_of_the_images():
    task = config()["downstream"]["tumour"]
    assert (task["size"], task["crop"], task["mask"], task["cohort"]) == (32, "fundus", "mask", True)
    assert job_settings(config({"size": 48}), "task", task="tumour")["task"]["size"] == 48


def test_all_models_with_feature_maps_take_part():
    assert tasks.models(config(), "tumour") == ["contig", "inner", "simclr"]
    assert tasks.models(config({"models": ["simclr"]}), "tumour") == ["simclr"]
    assert tasks.models(config({"arms": [GENES]}), "tumour") == ["contig", "inner"], "simclr has no genes to fuse"
    assert tasks.models(config({"modality": "snps"}), "tumour") == ["contig"]
    assert tasks.models(config({"arms": [GENES, ASKS | {"name": "b"}]}, mgi=MGI), "tumour") == ["mgi"]
    assert tasks.models(config({"arms": [GENES]}, mgi=MGI), "tumour") == ["contig", "inner", "mgi"]


def test_the_default_arms():
    found = config()
    with_genes = [arm["name"] for arm in tasks.arms(found, "tumour", "contig")]
    assert with_genes == ["pretrained_genes", "pretrained", "scratch_genes", "scratch", "unet", "unetr"]
    assert [arm["name"] for arm in tasks.arms(found, "tumour", "simclr")] == ["pretrained", "scratch", "unet", "unetr"]
    outside = config({"cohort": False})
    assert [arm["name"] for arm in tasks.arms(outside, "tumour", "contig")] == [
        "pretrained",
        "scratch",
        "unet",
        "unetr",
    ]
    assert tasks.modality(found, "tumour", "contig") == "snps"
    assert tasks.modality(found, "tumour", "simclr") is None
    assert tasks.modality(outside, "tumour", "contig") is None
    # the first one is compared with the others
    assert tasks.arms(config({"arms": [GENES]}), "tumour", "contig")[0]["network"] == "light"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"models": ["pixels"]}, "names pixels, which has no network with feature maps"),
        ({"models": ["latents"]}, "names latents, which has no network with feature maps"),
        ({"models": ["nobody"]}, "names nobody, which is not one of models"),
        ({"models": ["simclr"], "arms": [GENES]}, "names simclr, which has no encoder of a modality to fuse with"),
        (
            {"models": ["contig"], "arms": [ASKS]},
            "names contig, which has no gene tokens for cross_attention",
        ),
        ({"arms": [ASKS]}, "and gene tokens for cross_attention): add one"),
        ({"steps": 9}, "9 is less than the minimum of 10"),
        ({"models": ["contig"], "modality": "blood"}, "names contig, which has no encoder of blood"),
        ({"modality": "blood"}, "has no model"),
        ({"cohort": False, "arms": [GENES]}, "is an external data set without genetics: write fusion: none"),
        (
            {"cohort": False, "modality": "snps"},
            "modality is snps, but with cohort: false its samples have no genetics",
        ),
        ({"arms": [{"name": "a"}], "modality": "snps"}, "modality is snps, but none of its arms fuses genetics"),
        ({"mask": {"disc": "a", "cup": "b"}, "labels": {"disc": 1}}, "or remove labels"),
        ({"labels": {"disc": 1, "cup": [2, 1]}}, "labels has a value in two classes"),
        ({"labels": {"disc": 0}}, "is not valid"),
        ({"arms": [{"name": "a"}, {"name": "a"}]}, "arms has a duplicated name"),
        ({"arms": [{"name": "a", "network": "unet", "encoder": "pretrained"}]}, "which is trained from scratch"),
        ({"arms": [{"name": "a", "freeze": True}]}, "freezes an encoder that is not pretrained"),
        ({"size": 40}, "the arm unet (unet) requires multiples of 16"),
        ({"crop": "circle"}, "must be one of fundus, none, null"),
        ({"step": 3}, "did you mean steps?"),
        ({"task": "segment"}, "must be one of"),
    ],
)
def test_keys_that_contradict_each_other(task, message):
    assert message in refused(task)


def test_a_vit_requires_the_size_that_it_was_pretrained_with():
    vit = {"method": "simclr", "image_encoder": "vit_tiny", "patch": 8}
    assert "but vit is a ViT" in refused({"size": 64}, vit=vit)
    assert "vit" in tasks.models(config(vit=vit), "tumour")


def test_there_must_be_images_and_a_task():
    found = yaml.safe_load((ROOT / "tests/config/phenotypes.yaml").read_text())
    found["downstream"] = {"tumour": {"task": "segmentation", "table": "masks.tsv"}}
    with pytest.raises(UserError, match="needs images, but there is no images: block"):
        check_config(found)
    with pytest.raises(UserError, match="there is no downstream: block with a task"):
        tasks.require([])


LABELS = {"task": "classification", "kind": "ordinal", "table": "t.tsv", "column": "grade"}
OUTSIDE = LABELS | {"cohort": False, "image": "pictures/{id}.png"}
EMBEDDED = {"embeddings": "e.h5ad"}


def of_labels(task, **models):
    found = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text())
    found["models"] |= {"pixels": {"method": "pixel_pca"}, "given": EMBEDDED} | models
    found["downstream"] = {"grade": task}
    check_config(found)
    return found


def test_arms_of_labels_are_those_that_a_model_can_do():
    found = of_labels(LABELS)
    assert tasks.models(found, "grade") == ["contig", "inner", "simclr", "pixels", "given"]
    assert tasks.label_arms(found, "grade", "contig") == ["probe", "knn", "finetuned"]
    assert tasks.label_arms(found, "grade", "given") == tasks.label_arms(found, "grade", "pixels") == ["probe", "knn"]
    assert tasks.reads_images(found, "grade", "contig") and not tasks.reads_images(found, "grade", "given")
    assert tasks.models(of_labels(LABELS | {"arms": ["scratch"]}), "grade") == ["contig", "inner", "simclr"]


def test_an_external_set_is_embedded_by_networks_that_are_trained_here():
    found = of_labels(OUTSIDE)
    assert tasks.models(found, "grade") == ["contig", "inner", "simclr", "pixels"]
    assert (found["downstream"]["grade"]["size"], found["downstream"]["grade"]["crop"]) == (32, "fundus")
    assert ("downstream.grade.table", "t.tsv") in tasks.tables(found)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (LABELS | {"models": ["latents"]}, "names latents, which has user-supplied phenotypes, but no embeddings"),
        (OUTSIDE | {"models": ["given"]}, "names given, which has no network trained in this run"),
        (LABELS | {"models": ["given"], "arms": ["finetuned"]}, "names given, which has no network to fine-tune"),
        (
            LABELS | {"column": ["a", "b"]},
            "column names several columns, but a list of columns is for kind: multilabel",
        ),
        (LABELS | {"kind": "multilabel"}, "column names one column, but a list of columns is for kind: multilabel"),
        (LABELS | {"size": 64}, "grade.size is given, but the images of the cohort are already decoded"),
        (LABELS | {"image": "{id}.png"}, "grade.image is given, but the images of the cohort are already decoded"),
        (OUTSIDE | {"image": None}, "grade.image is missing, but cohort is false"),
        (OUTSIDE | {"image": "Grade"}, "grade.image names the column Grade, which is a label (column)"),
        (OUTSIDE | {"image": "b", "column": ["a", "b"], "kind": "multilabel"}, "image names the column b, which is a"),
        (LABELS | {"kind": "several"}, "must be one of binary, multiclass, ordinal, multilabel"),
        (
            LABELS | {"column": ["a"], "kind": "multilabel", "classes": [0, 1]},
            "must be two or more values of a single column",
        ),
        ({key: value for key, value in LABELS.items() if key != "kind"}, "kind"),
        (LABELS | {"shares": [0]}, "shares"),
        (LABELS | {"arms": ["probe", "tree"]}, "must be one of probe, knn, finetuned, scratch"),
        (LABELS | {"min_class_size": 1}, "less than the minimum of 2"),
        ({"task": "regression", "table": "t.tsv", "column": "age", "kind": "binary"}, "kind"),
    ],
)
def test_keys_of_labels_that_contradict_each_other(task, message):
    with pytest.raises(UserError) as error:
        of_labels(task)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"method": "simclr", "image_encoder": "vit_tiny", "patch": 8}, "but one is a ViT, .* use a ResNet"),
        ({"method": "contrastive_autoencoder"}, "but one is a contrastive autoencoder, .* name other models"),
    ],
)
def test_some_networks_embed_no_external_set_of_another_size(recipe, message):
    """Of a map of pixels that ends in a linear layer, or in position embeddings, the size is fixed."""
    with pytest.raises(UserError, match=message):
        of_labels(OUTSIDE | {"size": 64}, one=recipe)
    assert "one" in tasks.models(of_labels(OUTSIDE, one=recipe), "grade")
    assert (
        "one"
        not in of_labels(OUTSIDE | {"size": 64, "models": ["simclr"]}, one=recipe)["downstream"]["grade"]["models"]
    )
