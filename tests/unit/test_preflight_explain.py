"""Preflight counts the people whom explanations need."""

import pandas as pd
import pytest

from contigwas.preflight import explain
from contigwas.preflight.findings import FACT, WARNING
from contigwas.preflight.study import Study


def findings(reference, **recipe):
    iids = pd.Index([f"{number}" for number in range(300)])
    config = {
        "samples": {"folds": 3, "heldout": 0.2},
        "models": {"contig": {"method": "contig", "modalities": ["snps"], **recipe}, "simclr": {"method": "simclr"}},
        "explain": {"models": None, "methods": ["deeplift"], "people": 30, "reference": reference},
    }
    study = Study(config, people={"genotypes": iids, "images": iids[:270]})
    explain.check(study)
    return study.findings


@pytest.mark.parametrize(("recipe", "left", "most"), [({}, 90, 80), ({"folds": 1}, 54, 24)])
def test_people_that_a_network_leaves(recipe, left, most):
    (found,) = findings(most, **recipe).of(FACT)
    assert f"each network of contig leaves about {left} people" in found.text
    (found,) = findings(most + 1, **recipe).of(WARNING)
    assert found.key == "explain.reference" and f"about {left} people" in found.text and "lower" in found.text


def test_nothing_is_said_without_the_block():
    study = Study({"models": {}}, people={"genotypes": pd.Index(["a"]), "images": pd.Index(["a"])})
    explain.check(study)
    assert not study.findings.found
