"""Preflight counts the samples that explanations need."""

import pandas as pd
import pytest

from contigwas.preflight import explain
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.findings import FACT, WARNING


def findings(reference, samples=None, **recipe):
    iids = pd.Index([f"{number}" for number in range(300)])
    config = {
        "samples": {"folds": 3, "heldout": 0.2},
        "models": {"contig": {"method": "contig", "modalities": ["snps"], **recipe}, "simclr": {"method": "simclr"}},
        "explain": {"models": None, "methods": ["deeplift"], "n_samples": 30, "reference": reference},
    }
    study = PreflightContext(config, samples={"genotypes": iids, "images": iids[:270], **(samples or {})})
    explain.check(study)
    return study.findings


@pytest.mark.parametrize(("recipe", "left", "most"), [({}, 90, 80), ({"folds": 1}, 54, 24)])
def test_samples_that_a_network_leaves(recipe, left, most):
    (found,) = findings(most, **recipe).of(FACT)
    assert f"each network of contig holds out about {left} samples" in found.text
    (found,) = findings(most + 1, **recipe).of(WARNING)
    assert found.key == "explain.reference" and f"about {left} samples" in found.text and "lower" in found.text


@pytest.mark.parametrize("source", ["expression", "exome", "covariates", "external"])
def test_the_modality_that_the_fewest_have_is_the_one_that_counts(source):
    """90 samples with an image are left to each network, but 30 of them have the modality."""
    name = "burden" if source == "exome" else source
    having = {source: pd.Index([f"{number}" for number in range(180, 300)])}
    (found,) = findings(20, having, modalities=["snps", name]).of(FACT)
    assert f"holds out about 30 samples with an image and {name}" in found.text
    (found,) = findings(21, having, modalities=["snps", name]).of(WARNING)
    assert f"about 30 samples with an image and {name}, fewer than the 31" in found.text


def test_without_the_block_nothing_is_reported():
    study = PreflightContext({"models": {}}, samples={"genotypes": pd.Index(["a"]), "images": pd.Index(["a"])})
    explain.check(study)
    assert not study.findings.found
