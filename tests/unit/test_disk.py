"""Full or read-only disks: every writer reports them in one sentence and leaves no files."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from contigwas.runtime.atomic_files import private_folder, replacing
from contigwas.runtime.disk import full, report_disk_errors, require_writable
from contigwas.runtime.errors import UserError
from contigwas.runtime.job import lock_of

# run in a process of its own, where no file may be larger than 20,000 bytes
CHILD = """
import resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from contigwas.runtime.atomic_files import replacing, replacing_folder, write_parquet, write_tsv
from contigwas.runtime.job import job

noise = np.random.default_rng(0).random((1000, 100))
samples, features = pd.Index([f"{number}" for number in range(1000)]), pd.DataFrame(index=[f"f{n}" for n in range(100)])

def ckpt(path):
    import torch
    with replacing(path) as place, place.open("wb") as file:
        torch.save({"weights": torch.tensor(noise)}, file)

def npz(path):
    with replacing(path) as place, place.open("wb") as file:
        np.savez_compressed(file, values=noise)

def npy(path):
    with replacing(path) as place, place.open("wb") as file:
        file.write(noise.tobytes())

def h5ad(path):
    from contigwas.tables.anndata_io import write_modality
    write_modality(path, noise, samples, features, {})

def h5ad_in_blocks(path):
    from contigwas.tables.anndata_io import write_blocks
    write_blocks(path, (noise[:, start:start + 40] for start in (0, 40, 80)), float, samples, features, {})

def parquet(path):
    write_parquet(pd.DataFrame(noise, columns=features.index), path)

def tsv(path):
    write_tsv(pd.DataFrame(noise), path)

def png(path):
    from matplotlib.figure import Figure
    from contigwas.plots.style import save
    figure = Figure()
    figure.subplots().imshow(noise)
    save(figure, [path])

pdf = png

def bed(path):
    from bed_reader import to_bed
    names = [path.with_suffix(suffix) for suffix in (".bim", ".fam")]
    with replacing(path) as place, replacing(names[0]) as bim, replacing(names[1]) as fam:
        to_bed(place, np.zeros((4000, 1000), np.int8), bim_filepath=bim, fam_filepath=fam, num_threads=1)

def folder(path):
    from contigwas.export.text import gzipped
    with replacing_folder(path) as place, gzipped(place / "a.gz") as stream:
        stream.write(noise.tobytes())

with job(sys.argv[2] + ".log"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    globals()[sys.argv[1]](Path(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("writer", "suffix"),
    [
        *((one, one) for one in ("ckpt", "npz", "npy", "h5ad", "parquet", "tsv", "png", "pdf", "bed")),
        ("h5ad_in_blocks", "h5ad"),
        ("folder", "features"),
    ],
)
def test_full_disk_is_reported_and_leaves_no_files(root, tmp_path, writer, suffix):
    path = tmp_path / "a" / f"out.{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, writer, path],
        cwd=root,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    why = (
        "because the file exceeds the maximum file size: raise that limit (ulimit -f), then run the same command again"
    )
    name = path.with_suffix(".fam" if writer == "bed" else path.suffix)  # which of the three files is written first
    assert done.stderr == f"contigwas: {name} cannot be written, {why}\n"
    assert done.returncode == 1
    assert [one.name for one in path.parent.iterdir()] == [f"{path.name}.log"]
    assert not (root / lock_of(f"{path}.log")).exists()


def test_the_reason_is_found_behind_other_errors():
    def raised():
        try:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            finally:
                raise RuntimeError("unexpected pos 64 vs 0")  # what torch says
        except RuntimeError as error:
            return error

    assert "the disk is full" in full(raised())
    assert "the disk is full" in full(OSError("No space left on device (os error 28)")), "bed-reader has no number"
    assert "quota" in full(OSError(errno.EDQUOT, ""))
    assert full(OSError(errno.ENOENT, "No such file")) is None
    assert full(ValueError("No space left on device")) is None, "a user's text"


def test_unreadable_input_is_not_reported_as_output(tmp_path):
    output = tmp_path / "results" / "a.tsv"
    for number, why in ((errno.EROFS, "the disk is read-only"), (errno.EACCES, "you may not write there")):
        with pytest.raises(UserError, match=f"a.tsv cannot be written, because {why}"), report_disk_errors(output):
            raise OSError(number, "", str(tmp_path / "results" / ".1.tmp.a.tsv"))
        with pytest.raises(UserError, match=why), report_disk_errors(output):
            raise OSError(number, "", str(tmp_path / "results"))  # its folder could not be made
    for folder in ("data", "results"):
        with pytest.raises(PermissionError), report_disk_errors(output):
            raise PermissionError(errno.EACCES, "", str(tmp_path / folder / "genotypes.bed"))
    with pytest.raises(PermissionError), report_disk_errors(output):
        raise PermissionError(errno.EACCES, "", "data.tsv", None, str(tmp_path / "results" / "b.tsv"))
    with pytest.raises(UserError, match="you may not write there"), report_disk_errors(output):
        raise PermissionError(errno.EACCES, "", "data.tsv", None, str(output))


def test_full_disk_of_another_file_is_reported(tmp_path):
    output = tmp_path / "results" / "exports"
    for name, place in (
        (tmp_path / "tmp" / "tmpabc" / "P1.txt", tmp_path / "tmp" / "tmpabc"),
        (tmp_path / "results" / "other.tsv", tmp_path / "results"),
        (tmp_path / "results" / ".1.tmp.exports" / "a.gz", output),
        (output / "a.gz", output),
        (tmp_path / "results", output),
        (None, output),
    ):
        with (
            pytest.raises(UserError, match=f"^{place} cannot be written, because the disk is full"),
            report_disk_errors(output),
        ):
            raise OSError(errno.ENOSPC, "No space left", name)
    with pytest.raises(UserError, match="^/data cannot be written"), report_disk_errors(output):
        raise OSError(errno.ENOSPC, "", str(output), None, "/data/copy.tsv")


@pytest.fixture
def closed():
    """A folder that is not writable; root becomes the user nobody."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)
        Path(folder).chmod(0o700)


def test_folder_that_is_not_writable(closed):
    with pytest.raises(UserError, match="you may not write there"):
        require_writable([closed / "results"])
    with pytest.raises(UserError, match="you may not write there"), replacing(closed / "results" / "a.tsv"):
        pass
    with pytest.raises(UserError, match="you may not write there"):
        private_folder(closed / "private")


def test_missing_folders_are_checked_by_their_nearest_parent(tmp_path, monkeypatch):
    require_writable([tmp_path / "results" / "deep", tmp_path])
    real = os.statvfs(tmp_path)

    def changed(**fields):
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail", "f_flag")
        values = {name: getattr(real, name) for name in (*names, "f_namemax")} | fields
        return lambda path: os.statvfs_result(values.values())

    monkeypatch.setattr(os, "statvfs", changed(f_bavail=10))
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written, because the disk is full: free some space"):
        require_writable([tmp_path / "results" / "deep"])
    monkeypatch.setattr(os, "statvfs", changed(f_flag=os.ST_RDONLY))
    with pytest.raises(UserError, match="the disk is read-only: mount it for writing"):
        require_writable([tmp_path / "results" / "deep"])
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([0] * 11))
    require_writable([tmp_path / "results" / "deep"])  # a file system that does not say
