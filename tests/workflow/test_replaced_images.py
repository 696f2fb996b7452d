"""A photograph that is replaced under its own name runs again what depends on it."""

import importlib.util
import os
import sys

import pytest
import yaml

pytest.importorskip("snakemake")


@pytest.fixture(scope="module")
def rerun_dag(root):
    sys.path.insert(0, str(root / "docs"))
    specification = importlib.util.find_spec("rerun_dag")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    sys.path.remove(str(root / "docs"))


@pytest.fixture
def study(root, tmp_path):
    """The config of every key, with two photographs in a folder in/photographs: (config, folder)."""
    config = yaml.safe_load((root / "tests/config/every_key.yaml").read_text())
    folder = tmp_path / "it's a stüdy"
    (folder / "in/photographs").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"in/photographs/{name}.png").write_bytes(b"12345")
    table = folder / config["images"]["table"]
    table.write_text("iid\tpath\n1\tphotographs/a.png\n2\tphotographs/b.png\n")
    return config, folder


def replace_same_size(image):
    status = image.stat()
    image.write_bytes(b"54321")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace_other_size(image):
    status = image.stat()
    image.write_bytes(b"123456")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("replace", [replace_same_size, replace_other_size])
def test_a_replaced_photograph_runs_images_and_training_again(replace, study, rerun_dag):
    config, folder = study
    before = rerun_dag.dag(config, folder)
    assert not rerun_dag.dag(config, folder).again(before).every, "nothing was touched"
    replace(folder / "in/photographs/a.png")
    again = rerun_dag.dag(config, folder).again(before)
    assert {rule for rule, _ in again.first} == {"images", "training_inputs_digest"}
    assert {dict(wildcards).get("part") for _, wildcards in again.first} == {None, "images"}
    assert {"pretrain_fold", "embed_fold", "gwas_chromosome", "report"} <= again.rules
    assert not again.rules & {"samples", "snps", "pgs", "burden", "genotypes_variants"}


def test_a_missing_folder_of_photographs_gives_no_traceback(study, rerun_dag):
    config, folder = study
    before = rerun_dag.dag(config, folder)
    (folder / "in/photographs").rename(folder / "in/elsewhere")
    assert ("images", ()) in rerun_dag.dag(config, folder).again(before).first
