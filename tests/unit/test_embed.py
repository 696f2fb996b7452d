"""Embedding: trunk features, averages over images, roles in the training, errors."""

import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.embed import embed
from contigwas.pretrain.networks import image_encoder
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError

SETTINGS = {"eyes": "mean", "checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    files = write_study(folder)
    train(
        **files,
        settings=RECIPE | {"epochs": 1},
        fold=1,
        output_checkpoint=folder / "model.ckpt",
        output_history=folder / "history.csv",
    )
    return folder, files


def run(folder, files, output="embeddings.h5ad", checkpoint="model.ckpt", **changed):
    names = {name: changed.get(name, files[name]) for name in ("images_npy", "images_table", "cohort")}
    settings = SETTINGS | changed.get("settings", {})
    embed(folder / checkpoint, **names, settings=settings, output=folder / output)
    return ad.read_h5ad(folder / output)


def test_features_are_the_mean_over_a_samples_photographs(trained):
    folder, files = trained
    data = run(folder, files)
    state = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    trunk = image_encoder(RECIPE, (3, 32, 32)).eval()
    part = {name.removeprefix("trunk."): value for name, value in state.items() if name.startswith("trunk.")}
    trunk.load_state_dict(part)
    pixels, table = np.load(files["images_npy"]), pd.read_parquet(files["images_table"])
    for iid in data.obs_names[:5]:
        own = pixels[table.loc[table["iid"] == iid, "row"]].transpose(0, 3, 1, 2) / 255
        own = (own - state["pixels.mean"].numpy()[:, None, None]) / state["pixels.sd"].numpy()[:, None, None]
        with torch.inference_mode():
            expected = trunk(torch.from_numpy(own).float()).mean(dim=0).numpy()
        assert data[iid].X[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert data.obs.loc[iid, "n_images"] == 2
    assert data.X.dtype == np.float32 and data.var_names.tolist() == [f"F{number}" for number in range(1, 65)]


def test_roles_are_those_of_the_training_and_all_samples_with_an_image_are_embedded(trained):
    folder, files = trained
    data = run(folder, files)
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype=str, keep_default_na=False)
    with_image = set(pd.read_parquet(files["images_table"])["iid"])
    inside = (cohort["exclusion"] == "") & cohort["iid"].isin(with_image)
    assert data.obs_names.tolist() == cohort.loc[inside, "iid"].tolist()
    held = cohort.loc[inside & (cohort["fold"] == "1"), "iid"]
    assert set(data.obs_names[data.obs["role"] == "heldout"]) == set(held)
    assert set(data.obs["role"]) == {"train", "validation", "heldout"}


def test_images_that_were_dropped_do_not_count(trained):
    folder, files = trained
    table = pd.read_parquet(files["images_table"])
    first = table["iid"].iloc[0]
    table.loc[0, "kept"] = False
    table.to_parquet(folder / "fewer.parquet")
    data = run(folder, files, images_table=folder / "fewer.parquet", output="fewer.h5ad")
    assert data.obs.loc[first, "n_images"] == 1
    whole = run(folder, files)
    assert not np.allclose(data[first].X, whole[first].X)
    assert np.allclose(data[data.obs_names != first].X, whole[whole.obs_names != first].X)


def test_later_samples_get_the_role_of_their_hash(trained, tmp_path):
    folder, files = trained
    cohort = files["cohort"].read_text().replace("call rate", "")
    (tmp_path / "cohort.tsv").write_text(cohort)
    data = run(folder, files, cohort=tmp_path / "cohort.tsv", output="joined.h5ad")
    table = pd.read_csv(tmp_path / "cohort.tsv", sep="\t", dtype=str)
    last = table.iloc[-1]
    assert data.n_obs == run(folder, files).n_obs + 1
    assert (data.obs.loc[last["iid"], "role"] == "heldout") == (last["fold"] == "1")


def test_the_file_is_the_same_again(trained):
    folder, files = trained
    assert np.array_equal(run(folder, files).X, run(folder, files, output="again.h5ad").X)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A network trained without augmentation, its best weights distinguished from its last."""
    folder = tmp_path_factory.mktemp("plain")
    files = write_study(folder)
    outputs = {"output_checkpoint": folder / "model.ckpt", "output_history": folder / "history.csv"}
    train(**files, settings=RECIPE | {"augment": {}, "epochs": 2}, fold=1, **outputs)
    state = torch.load(folder / "model.ckpt", weights_only=True)
    # the test needs different last and best weights
    weight = state["best_state_dict"]["trunk.conv1.weight"]
    state["best_state_dict"] |= {"trunk.conv1.weight": 1.5 * weight}
    torch.save(state, folder / "model.ckpt")
    return folder, files


def test_views_without_augmentation_change_nothing(plain):
    folder, files = plain
    alone, averaged = run(folder, files), run(folder, files, output="tta.h5ad", settings={"augment": 3})
    assert np.allclose(averaged.X, alone.X, rtol=1e-5, atol=1e-6)


def test_random_views_are_averaged_with_the_photograph_and_are_the_same_again(trained):
    folder, files = trained
    alone, first, again = (
        run(folder, files, output=f"views{number}.h5ad", settings={"augment": views}).X
        for number, views in enumerate((0, 2, 2))
    )
    assert np.array_equal(first, again) and not np.allclose(first, alone)
    assert np.corrcoef(first.ravel(), alone.ravel())[0, 1] > 0.9


def test_the_best_or_the_last_weights_as_the_settings_say(plain):
    folder, files = plain
    last, best = (run(folder, files, f"{name}.h5ad", settings={"checkpoint": name}).X for name in ("last", "best"))
    state = torch.load(folder / "model.ckpt", weights_only=True)
    torch.save(state | {"state_dict": state["best_state_dict"]}, folder / "swapped.ckpt")
    swapped = run(folder, files, "swapped.h5ad", "swapped.ckpt").X
    assert np.array_equal(swapped, best) and not np.allclose(last, best)


def test_photographs_of_another_size_are_refused(trained, tmp_path):
    folder, files = trained
    np.save(tmp_path / "images.npy", np.load(files["images_npy"])[:, ::2, ::2])
    with pytest.raises(
        UserError, match=r"trained on images of 32 x 32 pixels with 3 channels, but .* have 16 x 16 pixels with 3"
    ):
        run(folder, files, images_npy=tmp_path / "images.npy", output="never.h5ad")
    assert not (folder / "never.h5ad").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_other_files_are_not_accepted_as_a_checkpoint(trained, content):
    folder, files = trained
    (folder / "odd.ckpt").write_bytes(content)
    with pytest.raises(UserError, match="is not a checkpoint"):
        run(folder, files, checkpoint="odd.ckpt")


def test_simclr_embeds_all_samples_without_a_heldout_share(tmp_path):
    files = write_study(tmp_path)
    outputs = {"output_checkpoint": tmp_path / "model.ckpt", "output_history": tmp_path / "history.csv"}
    train(**files | {"modalities": {}}, settings=SIMCLR | {"epochs": 1}, fold=0, **outputs)
    assert set(run(tmp_path, files).obs["role"]) == {"train", "validation"}


def test_random_views_of_a_sample_are_independent_of_other_samples(trained, tmp_path):
    folder, files = trained
    alone = run(folder, files, settings={"augment": 0})
    all_samples = run(folder, files, settings={"augment": 2})
    assert not np.allclose(all_samples.X, alone.X, rtol=1e-3)
    table = pd.read_parquet(files["images_table"])
    removed = set(sorted(all_samples.obs_names)[::3])
    table[~table["iid"].isin(removed)].to_parquet(tmp_path / "images.parquet")
    fewer = run(folder, files, settings={"augment": 2}, images_table=tmp_path / "images.parquet")
    np.testing.assert_allclose(fewer.X, all_samples[fewer.obs_names].X, rtol=1e-4, atol=1e-5)


def test_a_layer_is_the_output_of_its_head(trained):
    folder, files = trained
    state = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    part = {name.removeprefix("heads.pgs."): value for name, value in state.items() if name.startswith("heads.pgs.")}
    trunk = torch.from_numpy(run(folder, files, images_table=one_image(files, folder)).X)
    wanted = torch.relu(trunk @ part["0.weight"].T + part["0.bias"]) @ part["2.weight"].T + part["2.bias"]
    found = run(folder, files, settings={"layer": "pgs"}, images_table=one_image(files, folder)).X
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-3, atol=1e-5)


def one_image(files, folder):
    """A table of one image a sample: a head of a mean is not the mean of heads."""
    pd.read_parquet(files["images_table"]).drop_duplicates("iid").to_parquet(folder / "one.parquet")
    return folder / "one.parquet"


def test_large_images_go_in_small_batches_to_the_same_features(trained, monkeypatch):
    folder, files = trained
    whole = run(folder, files)
    monkeypatch.setattr(sys.modules["contigwas.embed.embed"], "PIXELS", {"cpu": 3 * 32 * 32})
    np.testing.assert_allclose(run(folder, files).X, whole.X, rtol=1e-4, atol=1e-5)


def test_missing_best_weights_are_replaced_by_the_last_with_a_warning(trained, caplog):
    folder, files = trained
    state = torch.load(folder / "model.ckpt", weights_only=True)
    torch.save(state | {"best_state_dict": None}, folder / "unvalidated.ckpt")
    best = run(folder, files, checkpoint="unvalidated.ckpt", settings={"checkpoint": "best"})
    assert "no best weights without validation samples" in caplog.text
    np.testing.assert_array_equal(best.X, run(folder, files).X)


def test_features_that_are_not_finite_are_refused(trained):
    folder, files = trained
    state = torch.load(folder / "model.ckpt", weights_only=True)
    name = next(one for one in state["state_dict"] if one.startswith("trunk.") and one.endswith("weight"))
    state["state_dict"][name][:] = float("nan")
    torch.save(state, folder / "diverged.ckpt")
    with pytest.raises(UserError, match="gives features that are not finite: run pretrain again"):
        run(folder, files, checkpoint="diverged.ckpt")


@pytest.mark.parametrize("content", [b"hello, this is a note about eyes", b"", b"\x80\x04K\x01."])
def test_arbitrary_files_are_not_accepted_as_a_checkpoint(trained, content):
    folder, files = trained
    (folder / "note.ckpt").write_bytes(content)
    with pytest.raises(UserError, match="is not a checkpoint of contigwas"):
        run(folder, files, checkpoint="note.ckpt")
