"""Explanations as rules on the small demo: their files, who is named where, what runs again."""

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

BLOCK = {"n_samples": 12, "reference": 24, "steps": 8, "private": 2}
RULES = {"explain_model", "explain_plots", "explain_samples"}


def changed(study, **keys):
    """The rules of a dry run of `explain` with other keys of its block."""
    with study.changed(lambda config: config["explain"].update(keys)):
        run = study.dry("explain")
        assert run.status == 0, run.text[-3000:]
        return set(run.jobs())


@pytest.fixture(scope="module")
def explained(finished):
    """The finished study with its block, explained."""
    with finished.changed(lambda config: config.update(explain=BLOCK)):
        run = finished("explain")
        assert run.status == 0, run.text[-4000:]
        assert {rule for rule, _ in run.jobs()} == RULES | {"explain"}, "nothing is trained or tested for it"
        yield finished


def test_every_model_with_modalities_is_explained(explained):
    results = explained.folder / "results"
    assert {path.parent.name for path in results.glob("models/*/explanations")} == {"contig", "inner"}
    for model, modalities in (("contig", {"snps", "pgs", "burden"}), ("inner", {"pgs", "burden"})):
        folder = results / "models" / model / "explanations"
        assert all((folder / f"{name}.{suffix}").stat().st_size > 5000 for name in ("genome", "top")
                   for suffix in ("png", "pdf"))  # fmt: skip
        table = pd.read_parquet(folder / "features.parquet")
        assert set(table["modality"]) == modalities and set(table["method"]) == {"integrated_gradients", "deeplift"}
        complete = pd.read_csv(folder / "completeness.tsv", sep="\t")
        assert (complete["max_error"] < 0.01).all() and complete["n_samples"].max() <= 12
    snps = pd.read_parquet(results / "models/contig/explanations/features.parquet").query("modality == 'snps'")
    assert set(snps["chrom"]) == {"1", "2"} and (snps["pos"] > 0).all()
    scores = pd.read_parquet(results / "models/contig/explanations/features.parquet").query("modality == 'pgs'")
    assert scores["name"].str.startswith("simulated").all(), "what the scoring files call their traits"
    genes = pd.read_parquet(results / "models/contig/explanations/features.parquet").query("modality == 'burden'")
    assert (genes["feature"].str.rpartition(".")[0] == genes["name"]).all() and (genes["pos"] > 0).all()


def test_samples_are_named_in_private_alone(explained):
    results = explained.folder / "results"
    samples = pd.read_csv(results / "samples/candidates.tsv", sep="\t", dtype=str)["iid"]
    texts = [path.read_text() for path in results.glob("models/*/explanations/*.tsv")]
    texts += [path.read_text() for path in results.glob("logs/explain_*/*.log")]
    texts += [path.read_bytes().decode("latin-1") for path in results.glob("models/*/explanations/*.p*")]
    assert len(texts) == 4 + 6 + 10 and not [one for one in samples if any(one in text for text in texts)]
    private = results / "private/explanations"
    for model in ("contig", "inner"):
        pages = pd.read_csv(private / model / "features.tsv", sep="\t", dtype={"iid": str})
        assert pages["iid"].nunique() == 2 and set(pages["iid"]) <= set(samples)
        assert (private / model / "explanations.pdf").stat().st_size > 10_000
    for folder in (private, *private.iterdir()):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_key_reruns_what_reads_it(explained):
    assert not changed(explained)
    for key, value in (("n_samples", 15), ("noise", {"copies": 1}), ("baseline", "zero"), ("methods", ["deeplift"])):
        assert {rule for rule, _ in changed(explained, **{key: value})} == RULES | {"explain"}, key
    pages = {("explain_samples", "contig"), ("explain_samples", "inner"), ("explain", "")}
    assert changed(explained, private=3) == pages
    assert not changed(explained, private=0) | changed(explained, models=["contig"])


def test_a_reference_larger_than_the_samples_there_are(explained):
    before = explained.config.read_text()
    config = yaml.safe_load(before)
    explained.config.write_text(yaml.safe_dump(config | {"explain": BLOCK | {"reference": 300}}, sort_keys=False))
    try:
        run = explained("results/models/contig/explanations/features.parquet")
    finally:
        explained.config.write_text(before)
        explained("explain")
    assert run.status != 0
    assert (
        "config: explain.reference is 300, but of the samples that the network of fold 0 did not train on" in run.text
    )


def test_without_the_block_the_target_says_so(study):
    run = study("small.yaml").dry("explain")
    assert run.status == 1 and "there is no explain: block, which this target needs: add it" in run.text
    assert "Traceback" not in run.text
