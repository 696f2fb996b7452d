"""Which models are explained, and what the config check says."""

import copy
from pathlib import Path

import pytest
import yaml

from contigwas.config import check as config_check
from contigwas.config.explain import explained, left_out, methods, require
from contigwas.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
MGI = {"expression": {"table": "e.tsv", "scale": "tpm"}}


def checked(explain, **models):
    config = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text()) | copy.deepcopy(MGI)
    config["models"] |= models
    if explain is not None:
        config["explain"] = explain
    config_check.check_config(config)
    return config


def test_all_models_that_can_be_unless_some_are_named():
    assert explained(checked(None)) == []
    assert explained(checked({})) == ["contig", "inner"]
    assert explained(checked({"models": ["inner"]})) == ["inner"]


def test_mgi_has_no_deeplift():
    config = checked({}, mgi={"method": "mgi"})
    assert explained(config) == ["contig", "inner", "mgi"]
    assert methods(config, "mgi") == ["integrated_gradients"] and left_out(config, "mgi") == ["deeplift"]
    assert methods(config, "contig") == ["integrated_gradients", "deeplift"] and not left_out(config, "contig")
    assert explained(checked({"methods": ["deeplift"]}, mgi={"method": "mgi"})) == ["contig", "inner"]
    assert explained(checked({"methods": ["integrated_gradients"], "models": ["mgi"]}, mgi={"method": "mgi"})) == [
        "mgi"
    ]


@pytest.mark.parametrize(
    ("block", "models", "sentence"),
    [
        ({"models": ["nobody"]}, {}, "explain.models names nobody, which is not one of models"),
        ({"models": ["latents"]}, {}, r"names latents, which has no checkpoint of this run \(phenotypes:\)"),
        (
            {"models": ["own"]},
            {"own": {"embeddings": "e.h5ad"}},
            r"names own, which has no checkpoint .* \(embeddings:\)",
        ),
        ({"models": ["frozen"]}, {"frozen": {"apply": "a"}}, r"names frozen, which has no checkpoint .* \(apply:\)"),
        ({"models": ["simclr"]}, {}, "names simclr, which contrasts images with no modality"),
        (
            {"models": ["mgi"]},
            {"mgi": {"method": "mgi"}},
            "explain.methods has deeplift, which does not support .* mgi",
        ),
        ({"methods": ["saliency"]}, {}, "explain.methods.0 is 'saliency'"),
        ({"reference": 1}, {}, "explain.reference"),
        (
            {"private": 6, "n_samples": 5},
            {},
            "explain.private is 6, but only 5 .explain.n_samples. are explained: lower",
        ),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(block, models, sentence):
    with pytest.raises(UserError, match=sentence):
        checked(block, **models)


def test_a_block_without_a_model():
    config = yaml.safe_load((ROOT / "tests/config/phenotypes.yaml").read_text()) | {"explain": {}}
    with pytest.raises(
        UserError, match="config: explain has no model: none of .* is trained in this run on a modality"
    ):
        config_check.check_config(config)


def test_a_target_without_its_block():
    with pytest.raises(UserError, match="there is no explain: block"):
        require([])
