"""Preflight counts the people whom explanations need."""

import pandas as pd
import pytest

from contigwas.preflight import explain
from contigwas.preflight.context import Study
from contigwas.preflight.findings import FACT, WARNING


def findings(reference, people=None, **recipe):
    iids = pd.Index([f"{number}" for number in range(300)])
    config = {
        "samples": {"folds": 3, "heldout": 0.2},
        "models": {"contig": {"method": "contig", "modalities": ["snps"], **recipe}, "simclr": {"method": "simclr"}},
        "explain": {"models": None, "methods": ["deeplift"], "people": 30, "reference": reference},
    }
    study = Study(config, people={"genotypes": iids, "images": iids[:270], **(people or {})})
    explain.check(study)
    return study.findings


@pytest.mark.parametrize(("recipe", "left", "most"), [({}, 90, 80), ({"folds": 1}, 54, 24)])
def test_people_that_a_network_leaves(recipe, left, most):
    (found,) = findings(most, **recipe).of(FACT)
    assert f"each network of contig leaves about {left} people" in found.text
    (found,) = findings(most + 1, **recipe).of(WARNING)
    assert found.key == "explain.reference" and f"about {left} people" in found.text and "lower" in found.text


@pytest.mark.parametrize("source", ["expression", "exome", "covariates", "brought"])
def test_the_modality_that_the_fewest_have_is_the_one_that_counts(source):
    """90 people with an image are left to each network, but 30 of them have the modality."""
    name = "burden" if source == "exome" else source
    having = {source: pd.Index([f"{number}" for number in range(180, 300)])}
    (found,) = findings(20, having, modalities=["snps", name]).of(FACT)
    assert f"leaves about 30 people with an image and {name} untrained" in found.text
    (found,) = findings(21, having, modalities=["snps", name]).of(WARNING)
    assert f"about 30 people with an image and {name} untrained, fewer than the 31" in found.text


def test_nothing_is_said_without_the_block():
    study = Study({"models": {}}, people={"genotypes": pd.Index(["a"]), "images": pd.Index(["a"])})
    explain.check(study)
    assert not study.findings.found
