"""Someone who withdraws is in no file after the next run, and nothing was trained for it."""

import gzip
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from contigwas.samples.folds import stable_hash

pytestmark = pytest.mark.slow


def decoded(path: Path) -> str:
    """Everything in a file that is text, whatever its format; compressed ones unpacked."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    text = raw.decode("latin-1")
    if path.suffix == ".parquet":
        text += pq.read_table(path).to_pandas().select_dtypes("object").to_csv()
    elif path.suffix == ".h5ad":
        with h5py.File(path) as file:
            names: list[str] = []
            file.visit(names.append)
            data = [file[name] for name in names if isinstance(file[name], h5py.Dataset)]
            strings = [one for one in data if h5py.check_string_dtype(one.dtype)]
            text += "".join(str(one[()]) if one.shape == () else str(one[:].tolist()) for one in strings)
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            text += "".join(str(file[name].tolist()) for name in file.files)
    return text


def hashes(path: Path) -> set[int]:
    """The hashes of samples in a checkpoint."""
    state = torch.load(path, weights_only=True)
    return {one for values in state["roles"].values() for one in values} | set(state["seen"])


@pytest.fixture(scope="module")
def withdrawn(finished, tmp_path_factory):
    """The small study run on after some samples withdrew: (study, their IIDs, the results before, the run).

    One of them had a page of explanations.
    """
    folder = tmp_path_factory.mktemp("withdrawal") / "it's a stüdy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    study = type(finished)(folder, folder / finished.config.name)
    config = yaml.safe_load(study.config.read_text())
    config["explain"] = {"models": ["inner"], "n_samples": 8, "reference": 16, "steps": 8, "private": 4}
    study.config.write_text(yaml.safe_dump(config))
    done = study("burden_masks", "explain")
    assert done.status == 0, done.text[-3000:]
    leftover = folder / "results/models/gone"
    leftover.mkdir()
    shutil.copy2(folder / "results/models/contig/embeddings.h5ad", leftover)
    before = folder / "before"
    shutil.copytree(folder / "results", before)
    cohort = pd.read_csv(folder / "results/samples/cohort.tsv", sep="\t", dtype=str)
    pictured = pd.read_parquet(folder / "results/images/images.parquet")["iid"].astype(str)
    shown = pd.read_csv(folder / "results/private/explanations/inner/features.tsv", sep="\t", dtype={"iid": str})["iid"]
    gone = sorted({*cohort["iid"].sample(2, random_state=1), *pictured.sample(1, random_state=1), shown.iloc[0]})
    (folder / "withdrawn.txt").write_text("\n".join(gone) + "\n")
    config["samples"]["withdrawn"] = "withdrawn.txt"
    study.config.write_text(yaml.safe_dump(config))
    run = study()
    assert run.status == 0, run.text[-4000:]
    return study, gone, before, run


def test_nothing_is_trained(withdrawn):
    _, _, _, run = withdrawn
    ran = {rule for rule, _ in run.jobs()}
    assert ran >= {"samples_candidates", "images", "snps", "pgs", "burden", "embed_fold", "gwas_chromosome", "report"}
    assert not ran & {"pretrain_fold", "training_inputs_digest", "simulate_cohort", "simulate_images"}


def test_a_run_that_was_killed_among_the_images_trains_nothing_either(withdrawn):
    """Snakemake deletes what a job makes before the job begins."""
    study, _, _, _ = withdrawn
    listed = study.folder / "withdrawn.txt"
    everyone = pd.read_csv(study.folder / "results/samples/candidates.tsv", sep="\t", dtype=str)["iid"]
    before = listed.read_text()
    absent = ["images/images.npy", "images/images.parquet", "samples/cohort.tsv", "modalities/snps.h5ad"]
    listed.write_text(before + everyone.iloc[0] + "\n")
    for path in absent:
        (study.folder / "results" / path).rename(study.folder / Path(path).name)
    try:
        again = {rule for rule, _ in study.dry().jobs()}
    finally:
        listed.write_text(before)
        for path in absent:
            (study.folder / Path(path).name).rename(study.folder / "results" / path)
    assert again >= {"images", "samples", "snps", "training_inputs_ready", "embed_fold"}
    assert not again & {"pretrain_fold", "training_inputs_digest"}


def test_no_file_holds_them(withdrawn):
    study, gone, before, _ = withdrawn
    named = [path for path in before.rglob("*") if path.is_file() and any(one in decoded(path) for one in gone)]
    assert {path.suffix for path in named} >= {".parquet", ".h5ad", ".tsv", ".fam"}, "they were there"
    searched = [*(study.folder / "results").rglob("*"), *(study.folder / ".snakemake").rglob("*")]
    still = [path for path in searched if path.is_file() and any(one in decoded(path) for one in gone)]
    assert not still


def test_checkpoints_forget_them_and_keep_their_weights(withdrawn):
    study, gone, before, _ = withdrawn
    for old in before.rglob("model.ckpt"):
        new = study.folder / "results" / old.relative_to(before)
        assert hashes(new) == hashes(old) - {stable_hash(one) for one in gone}
        one, other = (torch.load(path, weights_only=True)["state_dict"] for path in (old, new))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_their_pixels_are_gone_and_all_others_stay(withdrawn):
    study, gone, before, _ = withdrawn
    kept = {}
    for results in (before, study.folder / "results"):
        table = pd.read_parquet(results / "images/images.parquet")
        pixels = np.load(results / "images/images.npy", mmap_mode="r")
        used = table[table["row"] >= 0]
        assert len(pixels) == len(used)
        kept[results] = {
            (row.iid, row.eye, row.visit): pixels[row.row].tobytes() for row in used.itertuples(index=False)
        }
    old, new = kept.values()
    assert set(old) - set(new) >= {key for key in old if key[0] in gone} and old.keys() & new.keys()
    assert all(new[key] == old[key] for key in new.keys() & old.keys())
    images = set(new.values())
    assert not any(value in images for key, value in old.items() if key[0] in gone)


def test_nobody_else_moves(withdrawn):
    study, gone, before, _ = withdrawn
    old, new = (
        pd.read_csv(results / "samples/cohort.tsv", sep="\t", dtype=str).set_index("iid")
        for results in (before, study.folder / "results")
    )
    assert set(new.index) == set(old.index) - set(gone)
    of_theirs = old["family"].isin(old.loc[gone, "family"])
    others = old.index[~of_theirs & ~old.index.isin(gone)]
    assert (new.loc[others, "fold"] == old.loc[others, "fold"]).all()
    assert (new.loc[others, "family"] == old.loc[others, "family"]).all()


def test_the_grid_of_snps_does_not_move(withdrawn):
    study, _, _, _ = withdrawn
    stride = yaml.safe_load(study.config.read_text())["snps"]["stride"]
    grid = set()
    for chrom in (1, 2):
        ids = pd.read_csv(study.folder / f"resources/demo/genotypes/chr{chrom}.bim", sep="\t", header=None)[1]
        grid |= set(ids.iloc[::stride])
    kept = set(ad.read_h5ad(study.folder / "results/modalities/snps.h5ad", backed="r").var_names)
    assert kept and kept <= grid


def test_the_search_is_reported(withdrawn):
    study, _, _, _ = withdrawn
    table = pd.read_csv(study.folder / "results/withdrawal/searched.tsv", sep="\t").set_index("kind")
    assert table.loc["fam", "removed"] == 1, "the masks that a plain run does not make again"
    assert table.loc["h5ad", "removed"] == 1, "a model that the config no longer has"
    assert (study.folder / "results/private/montage.png").stat().st_size, "made anew, so it stays"
    assert table.loc["ckpt", "rewritten"] == table.loc["ckpt", "searched"] == 5
    assert (study.folder / "results/private").stat().st_mode & 0o777 == 0o700


def test_asked_for_training_runs_again(withdrawn):
    study, _, _, _ = withdrawn
    before = study.config.read_text()
    assert not study.dry().jobs()
    config = yaml.safe_load(before)
    config["samples"]["retrain_on_withdrawal"] = True
    study.config.write_text(yaml.safe_dump(config))
    try:
        assert {rule for rule, _ in study.dry().jobs()} >= {"pretrain_fold", "embed_fold", "gwas_chromosome"}
    finally:
        study.config.write_text(before)
