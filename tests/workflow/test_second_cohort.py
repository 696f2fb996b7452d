"""A second study that applies a frozen model: its DAG, what is refused, and a run from images to replicated loci."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.studies import Study, clone
from tests.workflow.test_bad_input import cohort, set_config

MODEL = "discovery/contig"


def frozen(folder):
    """The folder of a frozen model of three networks; its files are empty, which a dry run does not notice."""
    for name in ("fold0/model.ckpt", "fold1/model.ckpt", "fold2/model.ckpt", "alignment.npz", "pca.h5ad", "loci.tsv"):
        (folder / MODEL / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / MODEL / name).touch()


def applied(study):
    """A study of 80 samples with images, in whom the model is applied beside their own traits."""
    run = study("phenotypes.yaml")
    cohort(run.folder)
    frozen(run.folder)
    (run.folder / "images.tsv").write_text("iid\tpath\n")
    set_config(run, images={"table": "images.tsv"}, models={"first": {"apply": MODEL}})
    return run


def test_every_network_embeds_the_cohort_and_nothing_is_trained(study):
    run = applied(study)
    dry = run.dry()
    assert dry.status == 0, dry.text[-3000:]
    jobs = dry.jobs()
    assert jobs[("apply_fold", "first")] == 3
    for rule in ("apply_model", "phenotypes_embedded", "replicate_model", "loci_model"):
        assert jobs[(rule, "first")] == 1
    assert jobs[("phenotypes_external", "traits")] == 1
    assert ("replicate_model", "traits") not in jobs
    assert not {rule for rule, _ in jobs} & {"pretrain_fold", "embed_fold", "align_folds", "align_external"}
    assert run.dry("replicate").jobs()[("replicate_model", "first")] == 1
    assert run.dry("apply").jobs()[("apply_fold", "first")] == 3


def test_without_loci_there_is_nothing_to_replicate(study):
    run = applied(study)
    (run.folder / MODEL / "loci.tsv").unlink()
    assert ("replicate_model", "first") not in run.dry().jobs()
    dry = run.dry("replicate")
    assert dry.status != 0
    assert "no model applies a folder that holds a loci.tsv" in dry.text
    assert "Traceback" not in dry.text


def test_mistakes_end_in_one_sentence(study):
    run = applied(study)
    shutil.copytree(run.folder / MODEL, run.folder / "old")
    (run.folder / "old" / "alignment.npz").unlink()
    for recipe, sentence in (
        ({"apply": "nowhere"}, "models.first.apply names nowhere, which has no fold0/model.ckpt"),
        ({"apply": "old"}, "old, which has no alignment.npz: run the target align"),
        ({"apply": MODEL, "phenotypes": {"components": 3}}, "first.phenotypes has an unknown key components"),
        ({"apply": MODEL, "epochs": 3}, "models.first has an unknown key epochs"),
    ):
        set_config(run, models={"first": recipe})
        dry = run.dry()
        assert dry.status != 0
        assert sentence in dry.text, dry.text[-2000:]
        assert "Traceback" not in dry.text
    set_config(run, models={"first": {"apply": MODEL}})
    config = yaml.safe_load(run.config.read_text())
    del config["images"]
    run.config.write_text(yaml.safe_dump(config))
    assert "models.first is applied to images, but there is no images: block" in run.dry().text


@pytest.mark.slow
def test_the_same_images_under_other_names_give_the_discovery_again(finished, root, tmp_path):
    """Strangers with the genotypes and images of the discovery: its effects come back, through three networks."""
    folder = clone(root, tmp_path / "second")
    shutil.copytree(finished.folder / "resources/demo", folder / "resources/demo")
    model = finished.folder / "results/models/contig"
    for name in ("fold0/model.ckpt", "fold1/model.ckpt", "fold2/model.ckpt", "alignment.npz", "pca.h5ad"):
        (folder / MODEL / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(model / name, folder / MODEL / name)
    gwas = pd.concat(pd.read_parquet(model / f"gwas/chr{chrom}.parquet") for chrom in (1, 2))
    leads = gwas.nlargest(3, "log10p_E1").assign(lead_id=lambda one: one["id"], best_feature="E1", test="E1")
    leads = leads.rename(columns={"beta_E1": "beta", "se_E1": "se", "log10p_E1": "log10p"}).assign(locus=[1, 2, 3])
    leads.iloc[0, leads.columns.get_indexer(["effect_allele", "other_allele"])] = leads.iloc[0][
        ["other_allele", "effect_allele"]
    ].to_numpy()
    leads.to_csv(folder / MODEL / "loci.tsv", sep="\t", index=False)
    for chrom in (1, 2):
        path = folder / f"resources/demo/genotypes/chr{chrom}.fam"
        fam = pd.read_csv(path, sep=r"\s+", header=None, dtype=str)
        fam[[0, 1]] = "9" + fam[[0, 1]]
        fam.to_csv(path, sep=" ", header=False, index=False)
    for name in ("images.tsv", "covariates.tsv"):
        table = pd.read_csv(folder / "resources/demo" / name, sep="\t", dtype=str)
        table["iid"] = "9" + table["iid"]
        table.to_csv(folder / "resources/demo" / name, sep="\t", index=False)
    config = yaml.safe_load(finished.config.read_text())
    second = {key: config[key] for key in ("math_threads", "genotypes", "images", "gwas")}
    second |= {"samples": {"covariates": "resources/demo/covariates.tsv"}, "models": {"first": {"apply": MODEL}}}
    (folder / "study.yaml").write_text(yaml.safe_dump(second))
    run = Study(folder, folder / "study.yaml")
    done = run("replicate")
    assert done.status == 0, done.text[-4000:]
    here = folder / "results/models/first"
    before, after = (pd.read_parquet(one / "phenotypes.parquet").set_index("iid") for one in (model, here))
    assert after.columns.tolist() == before.columns.tolist()
    shared = before.index[("9" + before.index).isin(after.index)]
    assert len(shared) > 0.9 * len(before)
    assert np.corrcoef(after.loc["9" + shared, "E1"], before.loc[shared, "E1"])[0, 1] > 0.8
    found = pd.read_csv(here / "replication.tsv", sep="\t")
    assert found["reason"].isna().all()
    assert found["same_direction"].tolist() == [0, 1, 1], "the first was given with its alleles swapped, not its effect"
    assert not run.dry("replicate").jobs()
