"""Search for withdrawn participants: every format is read, outdated files are removed, current files are checked."""

import os

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch

from contigwas.privacy.withdrawal import purge
from contigwas.privacy.withdrawal.named import read_iids
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import stable_hash

IIDS = ["1000014", "1000021", "1000035"]


def parquet(path):
    pd.DataFrame({"iid": IIDS, "score": 1.0}).to_parquet(path)


def relatives(path):
    pd.DataFrame({"iid1": IIDS[:1], "iid2": IIDS[1:2], "kinship": 0.25}).to_parquet(path)


def annotated(path):
    ad.AnnData(np.ones((3, 2), np.float32), obs=pd.DataFrame(index=IIDS)).write_h5ad(path)


def table(path):
    pd.DataFrame({"FID": IIDS, "IID": IIDS, "x": 1}).to_csv(path, sep="\t", index=False)


def fam(path):
    path.write_text("".join(f"{iid} {iid} 0 0 1 -9\n" for iid in IIDS))


FORMATS = {
    "phenotypes.parquet": parquet,
    "kinship.parquet": relatives,
    "embeddings.h5ad": annotated,
    "traits.tsv": table,
    "traits.tsv.gz": table,
    "burden_masks.fam": fam,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(name, tmp_path):
    FORMATS[name](tmp_path / name)
    assert read_iids(tmp_path / name) >= set(IIDS[:2])


def test_the_name_of_a_family_is_no_sample(tmp_path):
    pd.DataFrame({"fid": IIDS[:1], "iid": IIDS[1:2]}).to_csv(tmp_path / "cohort.tsv", sep="\t", index=False)
    (tmp_path / "a.fam").write_text(f"{IIDS[0]} {IIDS[1]} 0 0 1 -9\n")
    assert read_iids(tmp_path / "cohort.tsv") == read_iids(tmp_path / "a.fam") == {IIDS[1]}


def test_variant_files_have_no_iids(tmp_path):
    pd.DataFrame({"chrom": "1", "pos": [1000014], "id": "rs1"}).to_parquet(tmp_path / "chr1.parquet")
    pd.DataFrame({"chrom": ["1"], "pos": [1000014]}).to_csv(tmp_path / "loci.tsv", sep="\t", index=False)
    (tmp_path / "page.html").write_text("1000014")
    assert not any(read_iids(path) for path in tmp_path.iterdir())


@pytest.fixture
def results(tmp_path):
    """A folder of results with a list of one sample, whom no current file names: (folder, list, candidates)."""
    folder = tmp_path / "results"
    folder.mkdir()
    gone, candidates = tmp_path / "withdrawn.txt", folder / "candidates.tsv"
    gone.write_text(f"{IIDS[0]}\n")
    pd.DataFrame({"fid": IIDS[1:], "iid": IIDS[1:]}).to_csv(candidates, sep="\t", index=False)
    return folder, gone, candidates


def searched(results, made=()):
    folder, gone, candidates = results
    purge(folder, gone, candidates, [candidates, *made], folder / "searched.tsv")
    return pd.read_csv(folder / "searched.tsv", sep="\t").set_index("kind")


@pytest.mark.parametrize("name", FORMATS)
def test_outdated_files_are_removed(name, results):
    path = results[0] / name
    FORMATS[name](path)
    found = searched(results)
    assert not path.exists()
    assert found["removed"].sum() == 1 and found["named"].sum() == 1


def test_companion_files_are_removed(results):
    folder = results[0]
    pd.DataFrame({"row": [0], "iid": IIDS[:1]}).to_parquet(folder / "images.parquet")
    np.save(folder / "images.npy", np.zeros((1, 4, 4, 3), np.uint8))
    fam(folder / "burden_masks.fam")
    for suffix in ("bed", "bim"):
        (folder / f"burden_masks.{suffix}").write_bytes(b"x")
    searched(results)
    assert sorted(path.name for path in folder.iterdir()) == ["candidates.tsv", "searched.tsv"]


def test_files_of_others_stay(results):
    path = results[0] / "phenotypes.parquet"
    pd.DataFrame({"iid": IIDS[1:]}).to_parquet(path)
    assert searched(results).loc["parquet"].tolist() == [1, 0, 0, 0]
    assert path.exists()


def test_current_file_with_withdrawn_participant_is_an_error(results):
    path = results[0] / "phenotypes.parquet"
    parquet(path)
    with pytest.raises(UserError, match=r"phenotypes\.parquet still names.*forcerun samples_candidates") as error:
        searched(results, [path])
    assert IIDS[0] not in str(error.value)
    assert path.exists() and not (results[0] / "searched.tsv").exists()


@pytest.mark.parametrize("name", ["old.parquet", "old.h5ad", "model.ckpt"])
def test_a_damaged_file_is_an_error(name, results):
    (results[0] / name).write_bytes(b"no such format")
    with pytest.raises(UserError, match=rf"{name} cannot be read"):
        searched(results)


def test_empty_table_has_no_iids(results):
    (results[0] / "empty.tsv").touch()
    searched(results)
    assert (results[0] / "empty.tsv").exists()


def test_temporary_files_of_killed_jobs_are_removed(results):
    folder, _, candidates = results
    for name, seconds in ((".a1b2c3d4.tmp.x.parquet", -10), (".a1b2c3d4.tmp.y.parquet", 10)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (candidates.stat().st_mtime + seconds,) * 2)
    searched(results)
    assert not (folder / ".a1b2c3d4.tmp.x.parquet").exists()
    assert (folder / ".a1b2c3d4.tmp.y.parquet").exists(), "a job beside this one may be writing it"


def test_outdated_images_are_removed(results):
    folder = results[0]
    shown = ["private/montage.png", "private/components/m/quantiles.png", "private/explanations/old/explanations.pdf"]
    for name in (*shown, "images/images.npy"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    searched(results, [folder / "images/images.npy"])
    assert (folder / "images/images.npy").exists()
    assert not any((folder / name).exists() for name in shown)


def test_folders_on_another_disk_are_searched(results, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    parquet(elsewhere / "phenotypes.parquet")
    (results[0] / "models").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(results[0])
    searched(results)
    assert not (elsewhere / "phenotypes.parquet").exists()


def test_checkpoints_keep_weights_and_modification_time(results):
    path = results[0] / "model.ckpt"
    hashes = [stable_hash(iid) for iid in IIDS]
    weights = {"trunk.weight": torch.arange(4.0)}
    torch.save({"roles": {"train": hashes[:2], "heldout": hashes[2:]}, "seen": hashes, "state_dict": weights}, path)
    os.utime(path, ns=(1, 10**18))
    found = searched(results)
    state = torch.load(path, weights_only=True)
    assert state["roles"] == {"train": hashes[1:2], "heldout": hashes[2:]}
    assert state["seen"] == hashes[1:]
    assert torch.equal(state["state_dict"]["trunk.weight"], weights["trunk.weight"])
    assert path.stat().st_mtime_ns == 10**18
    assert found.loc["ckpt"].tolist() == [1, 1, 0, 1]
    assert searched(results).loc["ckpt"].tolist() == [1, 0, 0, 0]


def test_training_states_of_other_samples_are_removed(results):
    folder, _, candidates = results
    for name, seconds in (("old", -10), ("new", 10)):
        state = folder / "scratch/contig/fold0" / name / "state.ckpt"
        state.parent.mkdir(parents=True)
        state.write_bytes(b"x")
        os.utime(state, (candidates.stat().st_mtime + seconds,) * 2)
    searched(results)
    assert [path.name for path in (folder / "scratch/contig/fold0").iterdir()] == ["new"]
