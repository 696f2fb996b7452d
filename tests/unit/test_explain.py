"""Explanations of a model: against an explicit loop, output files, and messages."""

import logging
import math
from dataclasses import replace
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from explaining import SETTINGS, explained, trained
from pretraining import MGI

from contigwas.explain import selection
from contigwas.explain.network import Network
from contigwas.images.table import first_images
from contigwas.pretrain.losses import contig_loss
from contigwas.pretrain.methods import METHODS
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint
from contigwas.pretrain.roles import roles_of
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from contigwas.tables.anndata_io import MISSING, write_modality

FEATURES = {"mean_abs", "low", "high", "mean", "n_samples", "method", "modality", "feature", "name", "chrom", "pos"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Train networks of two of three folds, and return the files that their explanation reads."""
    folder = tmp_path_factory.mktemp("explained")
    checkpoint, files = trained(folder, fold=0)
    again, _ = trained(folder, fold=1)
    return folder, [checkpoint, again], files


def read(outputs):
    return pd.read_parquet(outputs[0]), *(pd.read_csv(path, sep="\t") for path in outputs[1:])


def by_loop(checkpoint, files, modality, settings):
    """Return |attribution| (samples, kept) of one network; all similarities are recomputed at every point."""
    state = read_checkpoint(checkpoint)
    learned = Pretrained.of(state, checkpoint)
    images = first_images(files.images_table)
    samples = selection.candidates(state, files.cohort, images)
    present = {name: selection.has_modality(path, samples, None) for name, path in files.modalities.items()}
    selected = selection.select(
        samples, present, settings["reference"], settings["n_samples"], settings["seed"], state["fold"]
    )
    pixels, rows = np.load(files.images_npy), images.set_index("iid")["row"]
    network = torch.nn.Sequential(learned.pixels(), learned.trunk(), learned.head(modality))
    encoder = learned.encoder(modality)

    def embedded(iids):
        levels = torch.from_numpy(pixels[rows[iids]]).movedim(-1, 1).float() / 255
        with torch.no_grad():
            return network(levels), encoder.normaliser(selection.read_values(files.modalities[modality], iids))

    reference_images, reference_inputs = embedded(selected.reference[modality])
    reference_genetics = encoder.layers(reference_inputs).detach()
    found = []
    for image, values in zip(*embedded(selected.explained[modality]), strict=True):
        total, points = torch.zeros_like(values), 200
        for point in (np.arange(points) + 0.5) / points:
            at = (point * values).requires_grad_()
            genetics = torch.cat([reference_genetics, encoder.layers(at[None])])
            loss = contig_loss(torch.cat([reference_images, image[None]]), genetics, 0.1, 0.75) * len(genetics)
            total += torch.autograd.grad(loss, at)[0] / points
        found.append((total * values).abs())
    return torch.stack(found).numpy()


def test_the_attributions_match_a_loop_over_samples_and_points(study, tmp_path):
    _, (checkpoint, _), files = study
    settings = SETTINGS | {"n_samples": 8}
    table, sums, _ = read(explained(tmp_path, [checkpoint], files, **settings))
    expected = by_loop(checkpoint, files, "snps", settings)
    keep = read_checkpoint(checkpoint)["state_dict"]["genetics.snps.normaliser.keep"].numpy()
    names = ad.read_h5ad(files.modalities["snps"]).var_names[keep]
    for method in settings["methods"]:
        found = table[(table["method"] == method) & (table["modality"] == "snps")].set_index("feature")
        assert set(found.index) == set(names)
        np.testing.assert_allclose(found.loc[names, "mean_abs"], expected.mean(axis=0), rtol=0.02, atol=1e-3)
        half = 1.96 * expected.std(axis=0, ddof=1) / np.sqrt(len(expected))
        np.testing.assert_allclose(found.loc[names, "high"] - found.loc[names, "mean_abs"], half, rtol=0.03, atol=1e-3)
        row = sums[(sums["method"] == method) & (sums["modality"] == "snps")].iloc[0]
        assert row["sum_abs"] == pytest.approx(expected.sum(axis=1).mean(), rel=0.01)
        assert (row["features"], row["n_samples"]) == (len(names), len(expected))


def test_the_output_files_have_the_documented_content(study, tmp_path):
    _, checkpoints, files = study
    table, sums, complete = read(explained(tmp_path, checkpoints, files))
    assert set(table.columns) == FEATURES
    assert table["pos"].dtype == table["n_samples"].dtype == np.int64
    assert list(sums.columns) == ["method", "modality", "features", "n_samples", "sum_abs", "mean_abs", "low", "high"]
    assert list(complete.columns) == ["method", "modality", "n_samples", "mean_error", "max_error"]
    assert (complete["max_error"] < 0.01).all()
    assert (table["low"] <= table["mean_abs"]).all() and (table["mean_abs"] <= table["high"]).all()
    assert (table["mean"].abs() <= table["mean_abs"] + 1e-9).all() and (table["mean_abs"] > 0).any()
    for (method, modality), part in table.groupby(["method", "modality"]):
        row = sums[(sums["method"] == method) & (sums["modality"] == modality)].iloc[0]
        assert part["mean_abs"].sum() == pytest.approx(row["sum_abs"], rel=1e-4)
        assert row["low"] < row["sum_abs"] < row["high"]


def test_each_sample_is_explained_by_a_network_that_did_not_train_on_it(study, monkeypatch, tmp_path):
    _, checkpoints, files = study
    calls, select = [], selection.select

    def watched(samples, present, reference, share, seed, fold):
        selected = select(samples, present, reference, share, seed, fold)
        calls.append((fold, share, selected))
        return selected

    monkeypatch.setattr(selection, "select", watched)
    explained(tmp_path, checkpoints, files)
    cohort = read_included(files.cohort)
    assert [(fold, share) for fold, share, _ in calls] == [(0, 12), (1, 12)]
    for (_, _, selected), checkpoint in zip(calls, checkpoints, strict=True):
        roles = pd.Series(roles_of(cohort, read_checkpoint(checkpoint)), cohort["iid"])
        assert set(roles[selected.all_samples]) == {"heldout"}


def test_repeated_runs_give_identical_files(study, tmp_path):
    _, checkpoints, files = study
    (tmp_path / "again").mkdir()
    settings = {"noise": {"copies": 2, "sd": 0.1}, "baseline": "sample"}
    first = explained(tmp_path, checkpoints, files, **settings)
    again = explained(tmp_path / "again", checkpoints, files, **settings)
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(first, again, strict=True))


def test_baselines(study, tmp_path):
    _, checkpoints, files = study
    tables = {}
    for baseline in ("mean", "zero", "sample"):
        (tmp_path / baseline).mkdir()
        table, _, complete = read(explained(tmp_path / baseline, checkpoints, files, baseline=baseline))
        assert (complete["max_error"] < 0.01).all()
        tables[baseline] = table[table["method"] == "integrated_gradients"].set_index("feature")["mean_abs"]
    assert not np.allclose(tables["mean"], tables["sample"])
    burden = ad.read_h5ad(files.modalities["burden"]).to_df()
    carried = burden.columns[(burden != 0).mean() > 0.05]
    # for samples without a carried variant, the baseline `zero` equals the input
    share = tables["zero"][carried].mean() / tables["mean"][carried].mean()
    assert share < 0.8


def test_a_feature_equal_to_its_baseline_has_no_attribution(study, tmp_path):
    _, checkpoints, files = study
    burden = ad.read_h5ad(files.modalities["burden"])
    values = np.asarray(burden.X).copy()
    values[:, 3] = 0
    path = tmp_path / "burden.h5ad"
    write_modality(path, values, burden.obs_names, burden.var, {})
    other = replace(files, modalities={**files.modalities, "burden": path})
    table, *_ = read(explained(tmp_path, checkpoints, other, baseline="zero"))
    here = table.set_index(["method", "feature"])["mean_abs"]
    assert here.loc[("integrated_gradients", "burden3")] == here.loc[("deeplift", "burden3")] == 0.0
    assert here.loc[("deeplift", "burden2")] > 0


def test_samples_without_a_modality_are_counted_and_no_sample_is_named(study, tmp_path, caplog):
    _, checkpoints, files = study
    with caplog.at_level(logging.INFO, "contigwas.explain"):
        _, sums, _ = read(explained(tmp_path, checkpoints, files))
    reported = [record.getMessage() for record in caplog.records]
    missing = {name: sum(int(one.split(": ")[1].split(" ")[0]) for one in reported if one.endswith(f"have no {name}"))
               for name in files.modalities}  # fmt: skip
    samples = sums[sums["method"] == "deeplift"].set_index("modality")["n_samples"]
    assert all(samples[name] == 24 - missing[name] for name in files.modalities) and sum(missing.values())
    iids = read_included(files.cohort)["iid"]
    assert not [one for one in iids if any(one in text for text in reported)]


def test_components_that_are_regressed_out(tmp_path, caplog):
    rng = np.random.default_rng(0)
    iids = [str(number) for number in range(1000001, 1000151)]
    pcs = pd.DataFrame({"iid": iids, "PC1": rng.normal(size=150), "PC2": rng.normal(size=150)})
    pcs.to_parquet(tmp_path / "pcs.parquet")
    checkpoint, files = trained(tmp_path, pcs=tmp_path / "pcs.parquet", adjust_pcs=2, adjust=["pgs"], epochs=1)
    path = another_file(tmp_path / "fewer.h5ad", files.modalities["pgs"], drop="pgs1")
    fewer = replace(files, modalities={**files.modalities, "pgs": path})
    for baseline in ("mean", "zero"):
        for given in (files, fewer):
            table, _, complete = read(explained(tmp_path, [checkpoint], given, baseline=baseline))
            assert (complete["max_error"] < 0.01).all()
            assert set(table.loc[table["modality"] == "pgs", "feature"]) == set(
                ad.read_h5ad(given.modalities["pgs"]).var_names
            )
    assert "left the cohort" not in caplog.text
    cohort = pd.read_csv(files.cohort, sep="\t", dtype=str, keep_default_na=False)
    cohort[1:].to_csv(tmp_path / "fewer.tsv", sep="\t", index=False)
    explained(tmp_path, [checkpoint], replace(files, cohort=tmp_path / "fewer.tsv"))
    assert "1 samples left the cohort after the network was trained" in caplog.text
    assert "differ from those that it regresses out of pgs" in caplog.text


@pytest.mark.parametrize("changed", [
    {"genetics_encoder": "h1"},
    {"genetics_encoder": "none", "learn_temperature": True},
    {"loss": "siglip"},
    {"modalities": ["pgs"], "folds": 1},
])  # fmt: skip
def test_other_recipes(changed, tmp_path):
    checkpoint, files = trained(tmp_path, **{"epochs": 1, **changed})
    _, sums, complete = read(explained(tmp_path, [checkpoint], files, n_samples=8, reference=8))
    assert len(sums) == 2 * len(files.modalities)
    assert (complete.loc[complete["method"] == "deeplift", "max_error"] < 0.01).all()
    assert (complete["mean_error"] < 0.01).all()


@pytest.mark.parametrize(("changed", "weights"), [
    ({"alpha": 0.3}, {}),
    ({"learn_temperature": True}, {"log_temperature": 0.4}),
    ({"loss": "siglip", "learn_temperature": True}, {"log_temperature": 0.4, "bias": -2.5}),
    (MGI | {"modalities": ["snps"], "gene_encoder": "mlp", "image_encoder": "resnet10", "genes": None},
     {"log_temperature": 0.4}),
])  # fmt: skip
def test_losses_are_those_of_the_training_of_the_checkpoint(changed, weights, tmp_path):
    """Temperature, bias and weights of the directions, where the learned values differ much from the recipe's."""
    checkpoint, files = trained(tmp_path, **{"epochs": 1, **changed})
    state = read_checkpoint(checkpoint)
    for name, value in weights.items():
        state["state_dict"][name] = torch.tensor(math.log(value) if name == "log_temperature" else value)
    learned, name = Pretrained.of(state, checkpoint), "snps"
    training = METHODS[state["settings"]["method"]].of(
        SimpleNamespace(photographs=SimpleNamespace(shape=learned.shape)),
        learned.pixels(),
        {one: learned.encoder(one).normaliser for one in learned.modalities},
        state["settings"],
        0,
    )
    training.load_state_dict(state["state_dict"])
    network = Network.of(state, checkpoint, "last", torch.device("cpu"), files.modalities)
    drawn = torch.Generator().manual_seed(0)
    images, inputs = torch.randn(9, 8, generator=drawn), torch.randn(9, 40, generator=drawn)
    inputs = inputs[:, : len(network.sides[name].columns)]
    genetics = network.sides[name].encoder(inputs)
    found = network.reference(name, images[:8], inputs[:8]).losses(images[8:], genetics[8:])
    with torch.no_grad():
        expected = 9 * training.contrast(images, genetics) - 8 * training.contrast(images[:8], genetics[:8])
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_values_that_are_not_finite_are_an_error(study, tmp_path):
    _, (checkpoint, _), files = study
    state = torch.load(checkpoint, weights_only=True)
    for part, sentence in (("heads.snps.2.bias", "embeddings"), ("genetics.pgs.layers.0.weight", "embeddings")):
        broken = {**state, "state_dict": {**state["state_dict"]}}
        broken["state_dict"][part] = torch.full_like(broken["state_dict"][part], float("nan"))
        torch.save(broken, tmp_path / "broken.ckpt")
        with pytest.raises(UserError, match=f"fold 0 gives {sentence} that are not finite: run pretrain again"):
            explained(tmp_path, [tmp_path / "broken.ckpt"], files)
    assert not (tmp_path / "features.parquet").exists()


def test_too_few_samples_for_an_interval(study, tmp_path):
    _, (checkpoint, _), files = study
    with pytest.raises(
        UserError, match="config: explain.n_samples is 1, but only 1 of these samples have snps: raise it"
    ):
        explained(tmp_path, [checkpoint], files, n_samples=1)


def test_a_reference_that_leaves_too_few_for_an_interval(study, tmp_path):
    """All but one of the samples with pgs are in its reference, so a larger n_samples would not help."""
    _, (checkpoint, _), files = study
    samples = selection.candidates(read_checkpoint(checkpoint), files.cohort, first_images(files.images_table))
    data = ad.read_h5ad(files.modalities["pgs"])
    some = data[data.obs_names.isin(samples[:17])]
    assert 12 < len(some) < len(samples)
    path = tmp_path / "pgs.h5ad"
    write_modality(path, np.asarray(some.X), some.obs_names, data.var, {})
    other = replace(files, modalities={**files.modalities, "pgs": path})
    sentence = (
        "explain.n_samples is 1000, but the reference leaves [0-9]+ samples, of which 1 have pgs: "
        "lower explain.reference"
    )
    with pytest.raises(UserError, match=sentence):
        explained(tmp_path, [checkpoint], other, n_samples=1000, reference=len(some) - 1)


def test_too_large_a_reference(study, tmp_path):
    _, checkpoints, files = study
    with pytest.raises(UserError, match="config: explain.reference is 100, but"):
        explained(tmp_path, checkpoints, files, reference=100)


def test_names_and_positions(study, tmp_path):
    _, (checkpoint, _), files = study
    new = {}
    var = {
        "snps": pd.DataFrame({"chrom": ["chr2"] * 40, "pos": np.arange(40) + 5}),
        "pgs": pd.DataFrame({"trait": ["height", "", "bmi", "x", "y"]}),
        "burden": pd.DataFrame({"gene": ["APOE"] * 12, "mask": "lof", "chrom": "19", "pos": 44900000}),
    }
    for name, path in files.modalities.items():
        data = ad.read_h5ad(path)
        new[name] = tmp_path / f"{name}.h5ad"
        write_modality(new[name], np.asarray(data.X), data.obs_names, var[name].set_index(data.var_names), {})
    table, *_ = read(explained(tmp_path, [checkpoint], replace(files, modalities=new), methods=["deeplift"]))
    here = table.set_index("feature")
    assert tuple(here.loc["snps7", ["name", "chrom", "pos"]]) == ("snps7", "2", 12)
    assert tuple(here.loc["pgs0", ["name", "chrom", "pos"]]) == ("height", "", 0)
    assert here.loc["pgs1", "name"] == "pgs1"
    assert tuple(here.loc["burden0", ["name", "chrom", "pos"]]) == ("APOE", "19", 44900000)


def another_file(path, source, drop=None, insert=None, blank=None):
    """Rewrite a modality: without a feature, with an additional first feature, or with a completely missing feature."""
    data = ad.read_h5ad(source)
    values, names = np.asarray(data.X).copy(), [*data.var_names]
    if blank is not None:
        values[:, names.index(blank)] = MISSING if values.dtype.kind == "i" else np.nan
    if drop is not None:
        values, names = np.delete(values, names.index(drop), axis=1), [one for one in names if one != drop]
    if insert is not None:
        values, names = np.hstack([values[:, ::-1][:, :1], values]), [insert, *names]
    write_modality(path, values, data.obs_names, pd.DataFrame(index=names), {})
    return path


@pytest.mark.parametrize("name", ["snps", "burden"])
def test_features_are_matched_by_name_in_a_recomputed_file(study, name, tmp_path, caplog):
    _, checkpoints, files = study
    removed = read_checkpoint(checkpoints[0])["features"][name][2]
    tables = {}
    for what, changes in (("now", {"drop": removed, "insert": "another"}), ("blank", {"blank": removed})):
        (tmp_path / what).mkdir()
        path = another_file(tmp_path / f"{what}.h5ad", files.modalities[name], **changes)
        other = replace(files, modalities={**files.modalities, name: path})
        caplog.clear()
        tables[what], _, complete = read(explained(tmp_path / what, checkpoints, other))
        assert (complete["max_error"] < 0.01).all()
        assert (f"does not have 1 of the {len(read_checkpoint(checkpoints[0])['features'][name])} features of {name}" in
                caplog.text) == (what == "now")  # fmt: skip
    blank = tables["blank"].set_index("feature")
    assert (blank.loc[removed, "mean_abs"] == 0).all()
    expected = tables["blank"][tables["blank"]["feature"] != removed].reset_index(drop=True)
    pd.testing.assert_frame_equal(tables["now"].reset_index(drop=True), expected)


def test_a_file_without_any_feature_of_the_network(study, tmp_path):
    _, checkpoints, files = study
    path = tmp_path / "other.h5ad"
    data = ad.read_h5ad(files.modalities["pgs"])
    names = [f"other{number}" for number in range(5)]
    write_modality(path, np.asarray(data.X), data.obs_names, pd.DataFrame(index=names), {})
    with pytest.raises(UserError, match="none of the 5 features of pgs that .* was trained with"):
        explained(tmp_path, checkpoints, replace(files, modalities={**files.modalities, "pgs": path}))


def test_an_unsupported_method_is_skipped_with_a_warning(study, tmp_path, caplog):
    _, checkpoints, files = study
    explained(tmp_path, checkpoints, files, methods=["integrated_gradients"], left_out=["deeplift"], n_samples=6)
    assert "deeplift does not support the encoders of this model and is skipped" in caplog.text


@pytest.mark.parametrize("kind", ["mamba", "transformer", "mlp"])
def test_encoders_of_sequences(kind, tmp_path):
    recipe = MGI | {"modalities": ["snps"], "genes": None, "gene_encoder": kind, "epochs": 1}
    recipe |= {"image_encoder": "resnet10"}
    checkpoint, files = trained(tmp_path, **recipe)
    settings = {"methods": ["integrated_gradients"], "n_samples": 4, "reference": 8}
    table, _, complete = read(explained(tmp_path, [checkpoint], files, **settings))
    assert len(table) == 40 and (table["mean_abs"] > 0).all()
    assert (complete["mean_error"] < 0.01).all()
