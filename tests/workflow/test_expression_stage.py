"""The target expression: a table beside the genotypes becomes a modality, and mistakes end in one sentence."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from contigwas.tables.anndata_io import read_modality
from tests.workflow.test_bad_input import SAMPLES, cohort, set_config

pytestmark = pytest.mark.slow


def bring(study):
    """Counts of three genes for 70 of 80 samples and ten strangers, one of whom has none; positions of two genes."""
    cohort(study.folder)
    counts = pd.DataFrame(np.random.default_rng(4).poisson(50, (80, 3)), columns=["B", "novel", "A"])
    counts.iloc[0] = 0
    counts.insert(0, "barcode", [*SAMPLES[:70], *(f"X{number}" for number in range(10))])
    counts.assign(subtype="LumA").to_csv(study.folder / "counts.csv", index=False)
    (study.folder / "positions.txt").write_text("2 100 200 B\n1 100 200 A\n")
    set_config(
        study,
        expression={
            "table": "counts.csv",
            "scale": "counts",
            "genes": "positions.txt",
            "id": "barcode",
            "drop": ["subtype"],
        },
    )
    return counts.set_index("barcode")


def test_the_target_makes_the_modality(study):
    run = study("phenotypes.yaml")
    counts = bring(run)
    done = run("expression", "results/training_inputs/expression.json", "results/training_inputs/expression.ready")
    assert done.status == 0, done.text[-3000:]
    data = read_modality(run.folder / "results/modalities/expression.h5ad")
    assert data.obs_names.tolist() == SAMPLES[1:70]
    assert data.var_names.tolist() == ["A", "B", "novel"]
    for iid in SAMPLES[1:70:13]:
        library = sum(counts.loc[iid])
        known = [math.log(1 + counts.loc[iid, gene] / library * 1e6) for gene in data.var_names]
        np.testing.assert_allclose(data[iid].X[0], known, rtol=1e-6)
    log = (run.folder / "results/logs/expression/expression.log").read_text()
    assert "80 samples, 70 of them in the cohort of 80; 3 genes" in log
    assert "0 samples without a value and 1 with only zeros are left out" in log
    assert not [one for one in SAMPLES if one in log]
    digest = json.loads((run.folder / "results/training_inputs/expression.json").read_text())
    assert {origin["path"] for origin in digest["external_inputs"]} == {"counts.csv", "positions.txt"}
    assert not run.dry("modalities").jobs()
    set_config(run, expression={"scale": "tpm"})
    assert "expression" in {rule for rule, _ in run.dry("modalities").jobs()}


def test_mistakes_end_in_one_sentence(study):
    run = study("phenotypes.yaml")
    bring(run)
    before = run.config.read_text()
    for keys, sentence in (
        ({"scale": "log"}, "They look like TPM or counts: correct expression.scale"),
        ({"drop": []}, "1 columns hold text (the first is subtype, line 2). Name columns that are not genes in"),
        ({"id": "IID"}, "no column IID; the header has barcode, B, novel, A, subtype. Name the column of IIDs"),
        ({"scale": "fpkm"}, "config: expression.scale is 'fpkm', but must be one of tpm, counts, log"),
        ({"table": "none.csv"}, "expression.table names none.csv, which does not exist"),
        ({"genes": "none.txt"}, "expression.genes names none.txt, which does not exist"),
    ):
        set_config(run, expression=keys)
        done = run.attempt("expression")
        assert done.status != 0
        assert sentence in done.text, done.text[-2000:]
        assert "Traceback" not in done.text
        assert not [one for one in SAMPLES if one in done.text]
        assert not (run.folder / "results/modalities/expression.h5ad").exists()
        run.config.write_text(before)
    set_config(run, modalities={"expression": "counts.csv"})
    assert "modalities.expression has the name of a modality" in run.dry("expression").text
