"""Pretraining: who takes part, what BatchNorm sees, one person a batch, the same weights again, errors."""

import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.errors import UserError
from contigwas.modality import read_modality, write_modality
from contigwas.pretrain.data import Batches, Genetics, Photographs, Study, load_study
from contigwas.pretrain.losses import contig_loss
from contigwas.pretrain.module import Contig, SimCLR
from contigwas.pretrain.networks import features_of, image_encoder
from contigwas.pretrain.normalise import fit, fit_pixels
from contigwas.pretrain.retrieval import retrieval
from contigwas.pretrain.roles import split
from contigwas.pretrain.train import train


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(folder)


def run(folder, files, settings, fold=0, name="a"):
    if settings["method"] == "simclr":
        files = files | {"modalities": {}}
    checkpoint, history = folder / name / "model.ckpt", folder / name / "history.csv"
    train(**files, settings=settings, fold=fold, output_checkpoint=checkpoint, output_history=history)
    return torch.load(checkpoint, weights_only=True), pd.read_csv(history)


def test_folds_and_shares_keep_families_together():
    families = [f"f{number // 3}" for number in range(3000)]
    held = [split(families, RECIPE, fold) == "heldout" for fold in range(3)]
    assert np.array_equal(np.sum(held, axis=0), np.ones(3000))  # everyone is held out exactly once
    roles = pd.DataFrame({"family": families, "role": split(families, RECIPE, 1)})
    assert (roles.groupby("family")["role"].nunique() == 1).all()
    share = (roles["role"] == "validation").sum() / (roles["role"] != "heldout").sum()
    assert share == pytest.approx(RECIPE["validation"], abs=0.04)


def test_one_fold_holds_out_a_share_only_where_genetics_are_seen():
    families = [str(number) for number in range(2000)]
    assert (split(families, RECIPE | {"folds": 1}, 0) == "heldout").mean() == pytest.approx(0.3, abs=0.04)
    assert not (split(families, SIMCLR, 0) == "heldout").any()


@pytest.mark.parametrize("aggregate", ["inner", "outer"])
def test_who_takes_part(study, aggregate):
    _, files = study
    loaded = load_study(**files, settings=RECIPE | {"aggregate": aggregate}, fold=0)
    have = {name: set(read_modality(path).obs_names) for name, path in files["modalities"].items()}
    wanted = set.intersection(*have.values()) if aggregate == "inner" else set.union(*have.values())
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype=str, keep_default_na=False)
    images = pd.read_parquet(files["images_table"])
    roles = split(cohort["family"].tolist(), RECIPE, 0)
    expected = (roles == "train") & cohort["iid"].isin(wanted & set(images["iid"])) & (cohort["excluded"] == "")
    here = cohort[(cohort["excluded"] == "") & (roles != "heldout") & cohort["iid"].isin(images["iid"])]["iid"]
    assert here.iloc[loaded.train.numpy()].tolist() == cohort.loc[expected, "iid"].tolist()


def test_values_and_pixels_are_joined_by_iid(study):
    """Brightness was drawn from the first score, so joining by anything else would lose the correlation."""
    _, files = study
    loaded = load_study(**files, settings=RECIPE, fold=0)
    pgs, photographs = loaded.genetics["pgs"], loaded.photographs
    has = torch.nonzero(pgs.present).flatten()
    for eye in (0, 1):
        bright = photographs.pixels[photographs.first[has] + eye].float().mean(dim=(1, 2, 3))
        assert np.corrcoef(bright, pgs.values[pgs.row[has], 0])[0, 1] > 0.99


def test_a_batch_has_one_image_a_person_and_draws_the_eye(study):
    _, files = study
    loaded = load_study(**files, settings=RECIPE, fold=0)
    batches = Batches(loaded.train, loaded.photographs, 8, torch.Generator().manual_seed(0))
    epochs = [list(batches) for _ in range(3)]
    eyes = set()
    for epoch in epochs:
        people = torch.cat([who for who, _ in epoch])
        assert len(epoch) == len(batches) == len(loaded.train) // 8
        assert len(people.unique()) == len(people) and set(people.tolist()) <= set(loaded.train.tolist())
        for who, image in epoch:
            eye = image - loaded.photographs.first[who]
            assert ((eye >= 0) & (eye < loaded.photographs.count[who])).all()
            eyes |= set(zip(who.tolist(), eye.tolist(), strict=True))
    assert len(eyes) > 1.4 * len(loaded.train)  # both eyes of most, over three epochs
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])


def memory_study(present, features=6, seed=0):
    """A study in memory; `present` maps modalities to who has them, and who has not has no row of values."""
    rng = np.random.default_rng(seed)
    people = len(next(iter(present.values())))
    pixels = torch.from_numpy(rng.integers(0, 256, (people, 3, 16, 16)).astype(np.uint8))
    photographs = Photographs(pixels, torch.arange(people), torch.ones(people, dtype=torch.int64))
    genetics = {}
    for name, has in present.items():
        row = torch.full((people,), -1)
        row[has] = torch.arange(int(has.sum()))
        values = torch.from_numpy(rng.normal(size=(int(has.sum()), features)).astype(np.float32))
        genetics[name] = Genetics(values, row, [str(number) for number in range(features)])
    return Study(photographs, genetics, torch.arange(people), torch.arange(0), {})


def contig(study, settings):
    torch.manual_seed(0)
    normalisers = {name: fit(name, one.values) for name, one in study.genetics.items()}
    return Contig(study, fit_pixels(study.photographs.pixels), normalisers, settings, 0).train()


def step(module, loss):
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step()
    return {name: value.clone() for name, value in module.state_dict().items()}


PLAIN = RECIPE | {"genetics_encoder": "h1", "augment": {}, "dropout": 0.0}


def test_absent_people_never_reach_an_encoder_of_genetics():
    """One step of `outer` is the step on the people present, modality by modality: weights and BatchNorm alike."""
    has = {"snps": torch.tensor([1, 0, 1, 1, 0, 1, 1, 1]).bool(), "pgs": torch.tensor([1, 1, 1, 0, 1, 0, 0, 1]).bool()}
    study, people = memory_study(has), torch.arange(8)
    module, reference = contig(study, PLAIN), contig(study, PLAIN)
    loss = module.training_step((people, people), 0)
    features = reference.trunk(reference.pixels(study.photographs.pixels.float() / 255))
    expected, statistics = 0.0, {}
    for name, there in has.items():
        values = study.genetics[name].values
        hidden = torch.relu(reference.genetics[name].layers[0](reference.genetics[name].normaliser(values)))
        statistics[f"genetics.{name}.layers.2.running_mean"] = 0.1 * hidden.mean(dim=0)
        statistics[f"genetics.{name}.layers.2.running_var"] = 0.9 + 0.1 * hidden.var(dim=0)
        sides = reference.heads[name](features[there]), reference.genetics[name](values)
        expected = expected + contig_loss(*sides, PLAIN["temperature"], PLAIN["alpha"]) / 2
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    stepped, wanted = step(module, loss), step(reference, expected)
    for name, value in stepped.items():
        assert torch.allclose(value, wanted[name], atol=1e-6), name
    for name, value in statistics.items():
        assert torch.allclose(stepped[name], value, atol=1e-6), name


def test_a_modality_with_one_person_in_the_batch_costs_nothing():
    has = {"snps": torch.ones(8).bool(), "pgs": torch.arange(8) == 3}
    study, people = memory_study(has), torch.arange(8)
    study.genetics["pgs"].values.copy_(torch.arange(6))
    torch.manual_seed(0)
    normalisers = {"snps": fit("snps", study.genetics["snps"].values), "pgs": fit("pgs", torch.randn(9, 6))}
    module = Contig(study, fit_pixels(study.photographs.pixels), normalisers, PLAIN, 0).train()
    losses = module.losses((people, people))
    assert losses["pgs"].item() == 0 and losses["snps"].item() > 0
    assert module.genetics["pgs"].layers[2].num_batches_tracked == 0


@pytest.mark.parametrize("method", [Contig, SimCLR])
def test_the_trunk_runs_once_a_batch(method):
    study, people = memory_study({"snps": torch.ones(8).bool(), "pgs": torch.ones(8).bool()}), torch.arange(8)
    settings = PLAIN | {"augment": RECIPE["augment"]}
    pixels = fit_pixels(study.photographs.pixels)
    module = contig(study, settings) if method is Contig else SimCLR(study, pixels, settings, 0)
    seen = []
    module.trunk.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    module.losses((people, people))
    assert seen == [8 if method is Contig else 16]


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet34", "resnet50"])
def test_image_encoders_give_the_pooled_last_stage(name):
    trunk = image_encoder(name, 4, 64)
    assert trunk(torch.randn(2, 3, 64, 64)).shape == (2, features_of(trunk))
    assert features_of(trunk) == (128 if name == "resnet50" else 32)
    assert image_encoder(name, 4, 256).no_max_pool is False and trunk.no_max_pool is True


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


def test_checkpoint_holds_what_was_fitted_and_who_trained(study):
    folder, files = study
    state, _ = run(folder, files, RECIPE, fold=2, name="e")
    loaded = load_study(**files, settings=RECIPE, fold=2)
    assert state["roles"] == loaded.roles and state["fold"] == 2 and state["size"] == 32
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


def test_training_learns_what_photographs_and_scores_share(tmp_path):
    files = write_study(tmp_path, people=400)
    only = files | {"modalities": {"pgs": files["modalities"]["pgs"]}}
    settings = RECIPE | {"modalities": ["pgs"], "epochs": 20, "batch": 32, "lr": 0.01, "augment": {}}
    _, history = run(tmp_path, only, settings)
    last = history.iloc[-1]
    assert last["val_loss"] < history["val_loss"].iloc[0]
    assert last["image_to_pgs@10"] > 2 * last["chance_pgs@10"]


def test_nothing_is_left_beside_the_outputs(study, tmp_path, monkeypatch, capsys):
    _, files = study
    monkeypatch.chdir(tmp_path)
    run(tmp_path, files, RECIPE | {"epochs": 1})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "history.csv", "model.ckpt"]
    assert capsys.readouterr().out == ""


def test_too_large_a_batch_says_both_numbers(study):
    folder, files = study
    with pytest.raises(UserError, match=r"a batch is 500 people, but only \d+ can be trained on in fold 0"):
        run(folder, files, RECIPE | {"batch": 500}, name="never")
    assert not (folder / "never").exists()


def test_a_modality_without_people_is_named(study, tmp_path):
    folder, files = study
    strangers = pd.Index([f"HG{number:05d}" for number in range(30)])
    write_modality(tmp_path / "pgs.h5ad", np.ones((30, 2), np.float32), strangers, pd.DataFrame(index=["a", "b"]), {})
    changed = files | {"modalities": files["modalities"] | {"pgs": tmp_path / "pgs.h5ad"}}
    with pytest.raises(UserError, match="no training person of fold 0 has pgs"):
        run(folder, changed, RECIPE, name="never")


def test_a_loss_that_is_no_number_says_the_epoch(study):
    folder, files = study
    with pytest.raises(UserError, match=r"not a number any more in epoch \d"):
        run(folder, files, RECIPE | {"lr": 1e30, "schedule": "cosine"}, name="never")
    assert not (folder / "never").exists()


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
