"""Partitions that a profile names, against what `sinfo` says: a program of that name stands in for the cluster."""

import pytest

from contigwas.runtime.errors import UserError
from contigwas.runtime.slurm import check_partitions, partitions


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """A function that puts a program `sinfo` with this body alone on PATH."""

    def put(body: str) -> None:
        program = tmp_path / "sinfo"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


def test_partitions_are_those_that_sinfo_prints(sinfo):
    sinfo('[ "$*" = "--all --noheader --format=%R" ] && echo cpu && echo gpu && echo cpu')
    assert partitions() == {"cpu", "gpu"}


@pytest.mark.parametrize("named", ["cpu", "cpu,gpu", "gpu if attempt > 1 else cpu"])
def test_known_partitions_and_expressions_pass(named, sinfo):
    sinfo("echo cpu; echo gpu")
    check_partitions({"default-resources": named})


@pytest.mark.parametrize("named", ["gpuu", "cpu,gpuu"])
def test_an_unknown_partition_is_named_with_its_place_and_the_known_ones(named, sinfo):
    sinfo("echo gpu; echo cpu")
    with pytest.raises(
        UserError, match=r"slurm_partition in pretrain_fold: the cluster has no partition gpuu. Choose from cpu, gpu"
    ):
        check_partitions({"default-resources": "cpu", "pretrain_fold": named})


@pytest.mark.parametrize("body", ["echo cpu; exit 1", "true"])
def test_without_answer_all_partitions_pass(body, sinfo):
    sinfo(body)
    check_partitions({"default-resources": "gpuu"})


def test_without_sinfo_all_partitions_pass(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    check_partitions({"default-resources": "gpuu"})


def test_sinfo_is_not_called_where_no_partition_is_named(tmp_path, sinfo):
    sinfo(f": > {tmp_path}/called; echo cpu")
    check_partitions({})
    assert not (tmp_path / "called").exists()
