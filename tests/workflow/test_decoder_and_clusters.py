"""A network that draws, and clusters of its latents, as rules on the small demo; what shows samples is private."""

import json

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

CODER = {
    "method": "contrastive_autoencoder",
    "latent": 6,
    "width": 8,
    "units": 0,
    "variational": True,
    "epochs": 1,
    "batch": 32,
}
TASK = {"task": "clusters", "models": ["coder"], "components": 3, "k_max": 4}
TASK |= {"labels": {"table": "kinds.tsv", "column": "kind"}}


@pytest.fixture(scope="module")
def drawn(finished):
    """The finished study with a contrastive autoencoder and its clusters; labels are the sign of a true trait."""
    latents = pd.read_csv(finished.folder / "resources/demo/latents.tsv", sep="\t", dtype={"iid": str})
    kinds = pd.DataFrame({"iid": latents["iid"], "kind": (latents["pigment"] > 0).map({True: "dark", False: "light"})})
    kinds.to_csv(finished.folder / "kinds.tsv", sep="\t", index=False)
    with finished.changed(
        lambda config: config | {"models": config["models"] | {"coder": CODER}, "downstream": {"kinds": TASK}}
    ):
        run = finished("downstream", "results/models/coder/plots/decoded.png")
        assert run.status == 0, run.text[-4000:]
        yield finished, kinds


def test_what_shows_samples_is_private(drawn):
    study, _ = drawn
    results = study.folder / "results"
    for path in ("models/coder/plots/decoded.png", "models/coder/plots/decoded.pdf"):
        assert (results / path).stat().st_size
    assert (results / "private/decoded/coder/reconstructions.png").stat().st_size
    for folder in (results / "private").rglob("*"):
        assert not folder.is_dir() or folder.stat().st_mode & 0o777 == 0o700, folder


def test_clusters_of_the_tested_samples(drawn):
    study, kinds = drawn
    results = study.folder / "results"
    samples = pd.read_parquet(results / "private/downstream/coder/kinds.parquet")
    assert set(pd.read_parquet(results / "models/coder/phenotypes.parquet")["iid"]) <= set(samples["iid"])
    joined = samples.merge(kinds, on="iid")
    assert len(joined) == len(samples) and (joined["label"] == joined["kind"]).all()
    reported = json.loads((results / "models/coder/downstream/kinds.json").read_text())
    assert reported["n_samples"] == len(samples) and reported["labels"]["samples_with"] == len(samples)
    table = pd.read_csv(results / "models/coder/downstream/kinds.tsv", sep="\t")
    assert {"kmeans", "hdbscan", "probe"} == set(table["arm"])
    texts = [path.read_text() for path in (results / "models/coder/downstream").glob("*.[jt]s*")]
    texts += [path.read_text() for path in (results / "logs").rglob("*coder*.log")]
    assert len(texts) > 4 and not [one for one in samples["iid"] if any(one in text for text in texts)]


def test_another_k_clusters_again_and_nothing_else(drawn):
    study, _ = drawn
    before = study.config.read_text()
    config = yaml.safe_load(before)
    try:
        config["downstream"]["kinds"]["k"] = 3
        study.config.write_text(yaml.safe_dump(config, sort_keys=False))
        assert set(study.dry("downstream").jobs()) == {("downstream_clusters", "coder"), ("downstream", "")}
    finally:
        study.config.write_text(before)
