"""A study with user-supplied relatives, components, scores and a modality: none of these is computed."""

import numpy as np
import pandas as pd
import pytest

from contigwas.samples.cohort import read_cohort
from contigwas.tables.anndata_io import read_modality
from tests.workflow.test_bad_input import SAMPLES, cohort, set_config

pytestmark = pytest.mark.slow


def bring(study):
    """Files of a study of 80 samples: two relatives, eight of another ancestry, a table of scores and one of blood."""
    folder, rng = study.folder, np.random.default_rng(1)
    genotypes = cohort(folder)
    (folder / "rel.dat").write_text(
        f"ID1 ID2 HetHet IBS0 Kinship\n{SAMPLES[20]} {SAMPLES[21]} 0.1 0.0 0.25\n-1 -2 0 0 0.3\n"
    )
    pcs = pd.DataFrame(rng.normal(size=(80, 2)), columns=["PC1", "PC2"])
    pcs.iloc[:8] += 40
    pcs.insert(0, "#IID", SAMPLES)
    pcs.to_csv(folder / "pcs.eigenvec", sep="\t", index=False)
    pd.DataFrame({"ID": [f"rs{k}" for k in range(20)], "A1": "A", "S1": 1.0, "S2": 0.5}).to_csv(
        folder / "scores.tsv", sep="\t", index=False
    )
    pd.DataFrame({"IID": SAMPLES[::-1], "glucose": rng.normal(size=80)}).to_csv(
        folder / "blood.tsv", sep="\t", index=False
    )
    (folder / "ids.txt").write_text("rs3\nrs7\n")
    set_config(
        study,
        genotypes={
            "kinship": "rel.dat",
            "pcs_file": "pcs.eigenvec",
            "ancestry": {"reference": None, "pcs": 2, "max_sd": 8},
        },
        pgs={"scores": "scores.tsv", "exclude": ["S2"]},
        snps={"list": "ids.txt"},
        modalities={"blood": "blood.tsv"},
    )
    return genotypes


def test_what_is_external_is_not_computed(study):
    run = study("phenotypes.yaml")
    genotypes = bring(run)
    targets = ["modalities", "genotypes", "gwas", "results/modalities/plots/pgs_matching.png"]
    rules = {rule for rule, _ in run.dry(*targets).jobs()}
    assert {"genotypes_kinship_external", "genotypes_pcs_external", "modalities_external"} <= rules
    assert not {"genotypes_kinship", "genotypes_pcs", "genotypes_prune"} & rules
    done = run(*targets)
    assert done.status == 0, done.text[-3000:]
    table = read_cohort(run.folder / "results/samples/cohort.tsv")
    assert table["exclusion"].tolist() == ["ancestry"] * 8 + [""] * 72
    assert table["gwas_exclusion"].value_counts().to_dict() == {"": 79, "related": 1}
    blood = read_modality(run.folder / "results/modalities/blood.h5ad")
    assert blood.obs_names.tolist() == SAMPLES[:7:-1]
    scores = read_modality(run.folder / "results/modalities/pgs.h5ad")
    assert scores.var_names.tolist() == ["S1"]
    np.testing.assert_allclose(scores.layers["sum"][:, 0], genotypes[8:, :20].sum(axis=1), rtol=1e-6)
    assert read_modality(run.folder / "results/modalities/snps.h5ad").var_names.tolist() == ["rs3", "rs7"]
    assert (run.folder / "results/modalities/plots/pgs_matching.png").stat().st_size > 5000


def test_mistakes_end_in_one_sentence(study):
    run = study("phenotypes.yaml")
    bring(run)
    for blocks, target, sentence in (
        ({"modalities": {"snps": "blood.tsv"}}, "gwas", "modalities.snps has the name of a modality"),
        ({"modalities": {"blood": "absent.tsv"}}, "gwas", "modalities.blood names absent.tsv, which does not exist"),
        ({"snps": {"stride": 5, "offset": 5}}, "gwas", "snps.offset is 5, but must be below snps.stride"),
        ({"snps": {"pruned": True}}, "gwas", "use only one of them"),
        ({"pgs": {"scores": None}}, "gwas", "pgs has no score"),
        ({"pgs": {"download": ["PGS1"]}}, "gwas", "pgs.download"),
        ({"genotypes": {"ancestry": {"table": "blood.tsv"}}}, "gwas", "column, keep is missing"),
        ({"genotypes": {"kinship": "blood.tsv"}}, "genotypes", "has no column ID1 or IID1"),
        ({"pgs": {"scores": None, "download": ["PGS000001"], "catalog": "http://127.0.0.1:9"}}, "pgs",
         "Connect to the network"),
    ):  # fmt: skip
        before = run.config.read_text()
        set_config(run, **blocks)
        done = run.attempt(target)
        assert done.status != 0
        assert sentence in done.text, done.text[-2000:]
        assert "Traceback" not in done.text
        run.config.write_text(before)
