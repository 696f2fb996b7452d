"""Pretraining: included samples, BatchNorm, one image per sample in a batch, reproducible weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, run, write_study

from contigwas.images.array import Photographs
from contigwas.pretrain.data import Batch, Batches, Genetics, TrainingData, load_training_data
from contigwas.pretrain.losses import barlow_twins_loss, contig_loss, ntxent_loss, siglip_loss
from contigwas.pretrain.methods import METHODS
from contigwas.pretrain.methods.contig import Contig
from contigwas.pretrain.methods.simclr import SimCLR
from contigwas.pretrain.normalise import fit, fit_pixels
from contigwas.pretrain.retrieval import retrieval
from contigwas.pretrain.roles import split
from contigwas.pretrain.schedule import optimizer_and_schedule
from contigwas.tables.anndata_io import read_modality


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(folder)


def test_folds_and_shares_keep_families_together():
    families = [f"f{number // 3}" for number in range(3000)]
    held = [split(families, RECIPE, fold) == "heldout" for fold in range(3)]
    assert np.array_equal(np.sum(held, axis=0), np.ones(3000))  # every sample is held out exactly once
    roles = pd.DataFrame({"family": families, "role": split(families, RECIPE, 1)})
    assert (roles.groupby("family")["role"].nunique() == 1).all()
    share = (roles["role"] == "validation").sum() / (roles["role"] != "heldout").sum()
    assert share == pytest.approx(RECIPE["validation"], abs=0.04)


def test_one_fold_holds_out_a_share_only_with_genetics():
    families = [str(number) for number in range(2000)]
    assert (split(families, RECIPE | {"folds": 1}, 0) == "heldout").mean() == pytest.approx(0.3, abs=0.04)
    assert not (split(families, SIMCLR, 0) == "heldout").any()


@pytest.mark.parametrize("aggregate", ["inner", "outer"])
def test_included_samples(study, aggregate):
    _, files = study
    loaded = load_training_data(**files, settings=RECIPE | {"aggregate": aggregate}, fold=0)
    have = {name: set(read_modality(path).obs_names) for name, path in files["modalities"].items()}
    wanted = set.intersection(*have.values()) if aggregate == "inner" else set.union(*have.values())
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype=str, keep_default_na=False)
    images = pd.read_parquet(files["images_table"])
    roles = split(cohort["family"].tolist(), RECIPE, 0)
    expected = (roles == "train") & cohort["iid"].isin(wanted & set(images["iid"])) & (cohort["exclusion"] == "")
    here = cohort[(cohort["exclusion"] == "") & (roles != "heldout") & cohort["iid"].isin(images["iid"])]["iid"]
    assert here.iloc[loaded.train.numpy()].tolist() == cohort.loc[expected, "iid"].tolist()


def test_values_and_pixels_are_joined_by_iid(study):
    """Brightness was simulated from the first score, so a wrong join would lose the correlation."""
    _, files = study
    loaded = load_training_data(**files, settings=RECIPE, fold=0)
    pgs, photographs = loaded.genetics["pgs"], loaded.photographs
    has = torch.nonzero(pgs.present).flatten()
    for eye in (0, 1):
        bright = photographs.gather(photographs.first[has] + eye).float().mean(dim=(1, 2, 3))
        assert np.corrcoef(bright, pgs.values[pgs.row[has], 0])[0, 1] > 0.99


def test_a_batch_has_one_random_image_per_sample(study):
    _, files = study
    loaded = load_training_data(**files, settings=RECIPE, fold=0)
    batches = Batches(loaded.train, loaded.photographs, 8, torch.Generator().manual_seed(0))
    epochs = [list(batches) for _ in range(3)]
    eyes = set()
    for epoch in epochs:
        samples = torch.cat([batch.samples for batch in epoch])
        assert len(epoch) == len(batches) == len(loaded.train) // 8
        assert len(samples.unique()) == len(samples) and set(samples.tolist()) <= set(loaded.train.tolist())
        for who, image, _ in epoch:
            eye = image - loaded.photographs.first[who]
            assert ((eye >= 0) & (eye < loaded.photographs.count[who])).all()
            eyes |= set(zip(who.tolist(), eye.tolist(), strict=True))
    assert len(eyes) > 1.4 * len(loaded.train)  # both eyes of most, over three epochs
    assert not torch.equal(epochs[0][0].samples, epochs[1][0].samples)


def memory_study(present, features=6, seed=0, pcs=0):
    """Return training data in memory; `present` maps modalities to whether each sample has them."""
    rng = np.random.default_rng(seed)
    samples = len(next(iter(present.values())))
    pixels = torch.from_numpy(rng.integers(0, 256, (samples, 16, 16, 3)).astype(np.uint8))
    who = torch.arange(samples)
    photographs = Photographs(pixels, who, who, torch.ones(samples, dtype=torch.int64))
    genetics = {}
    for name, has in present.items():
        row = torch.full((samples,), -1)
        row[has] = torch.arange(int(has.sum()))
        values = torch.from_numpy(rng.normal(size=(int(has.sum()), features)).astype(np.float32))
        genetics[name] = Genetics(
            values,
            row,
            [str(one) for one in range(features)],
            torch.from_numpy(rng.normal(size=(len(values), pcs)).astype(np.float32)),
        )
    return TrainingData(photographs, genetics, torch.arange(samples), torch.arange(0), {})


def contig(study, settings):
    torch.manual_seed(0)
    normalisers = {name: fit(name, one.values, components=one.components) for name, one in study.genetics.items()}
    return Contig(study, fit_pixels(study.photographs, study.train), normalisers, settings, 0).train()


def step(module, loss):
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step()
    return {name: value.clone() for name, value in module.state_dict().items()}


OTHERS = {"momentum": 0.9, "redundancy": 5e-3, "queue": 64}
PLAIN = RECIPE | {"genetics_encoder": "h1", "augment": {}, "dropout": 0.0}


@pytest.mark.parametrize("encoder", ["h1", "h12"])
@pytest.mark.parametrize("pcs", [0, 2])
def test_samples_without_a_modality_never_reach_its_encoder(encoder, pcs):
    """One step of `outer` equals a step on the samples with each modality: weights and BatchNorm statistics."""
    has = {"snps": torch.tensor([1, 0, 1, 1, 0, 1, 1, 1]).bool(), "pgs": torch.tensor([1, 1, 1, 0, 1, 0, 0, 1]).bool()}
    study, samples = memory_study(has, pcs=pcs), torch.arange(8)
    settings = PLAIN | {"genetics_encoder": encoder}
    batch = Batch(samples, samples)
    module, reference = contig(study, settings), contig(study, settings)
    seen = []
    module.trunk.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    loss = module.training_step(batch, 0)
    assert seen == [8]
    features = reference.trunk(reference.pixels(study.photographs.gather(samples).float() / 255))
    expected, statistics = 0.0, {}
    for name, there in has.items():
        values, components = study.genetics[name].values, study.genetics[name].components
        layers = reference.genetics[name].layers
        hidden = reference.genetics[name].normaliser(values, components)
        for number in (2, 5) if encoder == "h12" else (2,):
            hidden = torch.relu(layers[number - 2](hidden))
            statistics[f"genetics.{name}.layers.{number}.running_mean"] = 0.1 * hidden.mean(dim=0)
            statistics[f"genetics.{name}.layers.{number}.running_var"] = 0.9 + 0.1 * hidden.var(dim=0)
            hidden = (hidden - hidden.mean(dim=0)) / (hidden.var(dim=0, correction=0) + layers[number].eps).sqrt()
        sides = reference.heads[name](features[there]), reference.genetics[name](values, components)
        expected = expected + contig_loss(*sides, PLAIN["temperature"], PLAIN["alpha"]) / 2
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    stepped, wanted = step(module, loss), step(reference, expected)
    for name, value in stepped.items():
        assert torch.allclose(value, wanted[name], atol=1e-6), name
    for name, value in statistics.items():
        assert torch.allclose(stepped[name], value, atol=1e-6), name


def test_a_learned_temperature_has_a_gradient_at_its_minimum():
    study, samples = memory_study({"pgs": torch.ones(8).bool()}), torch.arange(8)
    module = contig(study, PLAIN | {"learn_temperature": True, "temperature": 0.0101, "genetics_encoder": "linear"})
    optimizer = torch.optim.SGD([module.log_temperature], lr=1.0)
    module.log_temperature.grad = torch.tensor(1.0)
    module.optimizer_step(0, 0, optimizer, lambda: None)
    assert module.temperature.item() == pytest.approx(0.01, rel=1e-6)
    optimizer.zero_grad()
    module.training_step(Batch(samples, samples), 0).backward()
    # wrong pairs at a temperature this low cost much: it wants to rise
    assert module.log_temperature.grad < -1
    module.optimizer_step(0, 0, optimizer, lambda: None)
    assert module.temperature.item() > 0.02


IN_FULL = {
    "simclr": ("heads.views", lambda a, b: ntxent_loss(a, b, 0.1)),
    "barlow_twins": ("project", lambda a, b: barlow_twins_loss(a, b, 0.005) / PLAIN["hidden"]),
}


@pytest.mark.parametrize("method", IN_FULL)
def test_losses_are_in_full_precision_with_any_precision_of_the_network(method):
    study, samples = memory_study({"pgs": torch.ones(8).bool()}), torch.arange(8)
    torch.manual_seed(0)
    pixels = fit_pixels(study.photographs, study.train)
    module = METHODS[method](study, pixels, SIMCLR | OTHERS | {"method": method}, 0).train()
    name, loss = IN_FULL[method]
    made = []
    module.get_submodule(name).register_forward_hook(lambda _, __, given: made.append(given))
    with torch.autocast("cpu", torch.bfloat16):
        found = module.losses(Batch(samples, samples))["views"]
    assert made[0].dtype == torch.bfloat16 and found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(*made[0].double().chunk(2)).item(), rel=1e-5)


@pytest.mark.parametrize("loss", ["contig", "siglip"])
def test_the_contrast_is_in_full_precision(loss):
    study = memory_study({"pgs": torch.ones(8).bool()})
    module = contig(study, PLAIN | {"loss": loss, "genetics_encoder": "linear"})
    generator = torch.Generator().manual_seed(0)
    sides = [torch.randn(8, 16, generator=generator).bfloat16() for _ in range(2)]
    with torch.autocast("cpu", torch.bfloat16):
        found = module.contrast(*sides)
    first, second = (one.double() for one in sides)
    wanted = contig_loss(first, second, 0.1, 0.75) if loss == "contig" else siglip_loss(first, second, 0.1, -10.0)
    assert found.dtype == torch.float32 and float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_a_modality_with_one_sample_in_the_batch_has_loss_0():
    has = {"snps": torch.ones(8).bool(), "pgs": torch.arange(8) == 3}
    study, samples = memory_study(has), torch.arange(8)
    study.genetics["pgs"].values.copy_(torch.arange(6))
    torch.manual_seed(0)
    normalisers = {"snps": fit("snps", study.genetics["snps"].values), "pgs": fit("pgs", torch.randn(9, 6))}
    module = Contig(study, fit_pixels(study.photographs, study.train), normalisers, PLAIN, 0).train()
    losses = module.losses(Batch(samples, samples))
    assert losses["pgs"].item() == 0 and losses["snps"].item() > 0
    assert module.genetics["pgs"].layers[2].num_batches_tracked == 0


@pytest.mark.parametrize("method", [Contig, SimCLR])
def test_the_trunk_runs_once_per_batch(method):
    study, samples = memory_study({"snps": torch.ones(8).bool(), "pgs": torch.ones(8).bool()}), torch.arange(8)
    settings = PLAIN | {"augment": RECIPE["augment"]}
    pixels = fit_pixels(study.photographs, study.train)
    module = contig(study, settings) if method is Contig else SimCLR(study, pixels, settings, 0)
    seen = []
    module.trunk.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    module.losses(Batch(samples, samples))
    assert seen == [8 if method is Contig else 16]


def test_same_seed_same_weights_other_seed_or_fold_other_weights(study):
    folder, files = study
    first, history = run(folder, files, RECIPE, name="a")
    run(folder, files, RECIPE, name="b")
    for file in ("model.ckpt", "history.csv"):
        assert (folder / "a" / file).read_bytes() == (folder / "b" / file).read_bytes()
    for other in (run(folder, files, RECIPE | {"seed": 4}, name="c")[0], run(folder, files, RECIPE, 1, "d")[0]):
        assert not torch.equal(first["state_dict"]["trunk.conv1.weight"], other["state_dict"]["trunk.conv1.weight"])
    assert history["epoch"].tolist() == [1, 2]
    assert {"lr", "step", "train_loss", "val_loss", "train_snps", "val_pgs", "image_to_burden@10"} <= set(history)
    assert "seconds" not in history and history.notna().all().all()


def test_checkpoint_holds_fitted_statistics_and_roles(study):
    folder, files = study
    state, _ = run(folder, files, RECIPE, fold=2, name="e")
    loaded = load_training_data(**files, settings=RECIPE, fold=2)
    assert state["roles"] == loaded.roles and state["fold"] == 2 and state["shape"] == [3, 32, 32]
    assert not set(state["roles"]["heldout"]) & set(state["roles"]["train"])
    snps = loaded.genetics["snps"]
    row = snps.row[loaded.train]
    expected = fit("snps", snps.values[row[row >= 0]])
    assert torch.equal(state["state_dict"]["genetics.snps.normaliser.mean"], expected.mean)
    assert state["features"]["snps"] == [snps.features[index] for index in expected.keep.tolist()]


@pytest.mark.parametrize("encoder", ["none", "h12"])
@pytest.mark.parametrize("aggregate", ["inner", "outer"])
def test_other_encoders_and_inner_train(study, encoder, aggregate):
    folder, files = study
    settings = RECIPE | {"genetics_encoder": encoder, "aggregate": aggregate, "epochs": 1, "schedule": "cosine"}
    state, history = run(folder, files, settings, name=f"{encoder}{aggregate}")
    assert np.isfinite(history["train_loss"]).all()
    assert any("running_mean" in name for name in state["state_dict"] if "genetics" in name) == (encoder == "h12")


def test_simclr_needs_no_genetics_and_trains_on_everyone(study):
    folder, files = study
    state, history = run(folder, files, SIMCLR, name="simclr")
    assert state["roles"]["heldout"] == [] and "view_to_other@1" in history
    assert not any("genetics" in name for name in state["state_dict"])


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in ("contig", "mgi", "untrained", "pixel_pca")]
)
def test_every_method_lowers_its_loss_and_embeds(study, method):
    folder, files = study
    settings = SIMCLR | OTHERS | {"method": method, "epochs": 12, "lr": 5e-3}
    state, history = run(folder, files, settings, name=method)
    assert np.isfinite(history[["train_loss", "val_loss", "rank_me"]]).all().all()
    assert history["train_loss"].iloc[-3:].mean() < history["train_loss"].iloc[0]
    assert state["best_epoch"] == history["epoch"][history["val_loss"].idxmin()]
    assert not any("genetics" in name for name in state["state_dict"])


@pytest.mark.parametrize("method", ["untrained", "pixel_pca"])
def test_untrained_methods_have_no_history(study, method):
    folder, files = study
    settings = {key: SIMCLR[key] for key in SIMCLR if key not in ("epochs", "batch", "lr")} | {"method": method}
    state, history = run(folder, files, settings, name=method)
    assert len(history) == 0 and state["best_state_dict"] is None
    assert all(value.isfinite().all() for value in state["state_dict"].values())


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "siglip", "temperature": 0.1},
        {"learn_temperature": True, "temperature": 0.07},
        {"loss": "siglip", "learn_temperature": True},
        {"corruption": 0.3},
        {"genetics_init": "gwas"},
        {"image_encoder": "vit_tiny", "patch": 16},
        {"optimizer": "adam", "schedule": "cosine", "warmup": 0.3},
    ],
    ids=str,
)
def test_variants_of_contig_train(study, changed):
    folder, files = study
    state, history = run(folder, files, RECIPE | changed, name="variant")
    assert np.isfinite(history[["train_loss", "val_loss"]]).all().all()
    assert ("log_temperature" in state["state_dict"]) == changed.get("learn_temperature", False)
    assert ("bias" in state["state_dict"]) == (changed.get("loss") == "siglip")


def test_a_warm_up_rises_and_a_cosine_falls():
    settings = RECIPE | {"schedule": "cosine", "warmup": 0.25, "lr": 1.0}
    optimizer, schedule = optimizer_and_schedule([("w", torch.nn.Parameter(torch.ones(2, 2)))], settings, 8)
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [0.5, 1.0, *[(1 + np.cos(np.pi * step / 6)) / 2 for step in range(7)]]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_training_learns_what_photographs_and_scores_share(tmp_path):
    """Brightness follows one score of five. With many samples and few epochs, no sample is memorised."""
    files = write_study(tmp_path, samples=1200)
    only = files | {"modalities": {"pgs": files["modalities"]["pgs"]}}
    settings = RECIPE | {"modalities": ["pgs"], "epochs": 6, "batch": 32, "lr": 0.01, "augment": {}, "dropout": 0.0}
    _, history = run(tmp_path, only, settings)
    last = history.iloc[-1]
    assert last["val_loss"] < history["val_loss"].iloc[0]
    assert last["image_to_pgs@10"] > 2 * last["chance_pgs@10"]


def test_no_other_file_remains_next_to_the_outputs(study, tmp_path, monkeypatch, capsys):
    _, files = study
    monkeypatch.chdir(tmp_path)
    run(tmp_path, files, RECIPE | {"epochs": 1})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "history.csv", "model.ckpt"]
    assert capsys.readouterr().out == ""


def test_retrieval_against_sorting():
    generator = torch.Generator().manual_seed(0)
    queries, targets = (torch.randn(40, 5, generator=generator) for _ in range(2))
    targets = targets + queries
    found = {1: 0, 5: 0, 10: 0}
    for i, query in enumerate(queries):
        order = sorted(range(40), key=lambda j: -float(torch.cosine_similarity(query, targets[j], dim=0)))
        for k in found:
            found[k] += i in order[:k]
    assert retrieval(queries, targets) == pytest.approx({k: count / 40 for k, count in found.items()})
    assert retrieval(torch.ones(20, 3), torch.ones(20, 3)) == {1: 0, 5: 0, 10: 0}  # collapsed
