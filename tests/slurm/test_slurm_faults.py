"""What goes wrong on a cluster: a node is lost, Snakemake interrupted, a limit passed, a partition misspelt."""

import os
import re
import shutil

import pytest

from tests.slurm.cluster import ENDED, wait_for
from tests.slurm.runs import profile_without_accounting, submit
from tests.studies import clone

TRAINED = "results/models/simclr/fold0/model.ckpt"
NODE_LOST = """
NAMES = ["a", "b", "c", "d"]

rule all:
    input: expand("{name}.txt", name=NAMES)
    localrule: True

rule work:
    output: "{name}.txt"
    threads: 2
    resources: mem_mb=500, runtime=5
    shell: "touch {wildcards.name}.began; sleep 12; echo $SLURMD_NODENAME > {output}"
"""
LIMITS = """
rule all:
    input: "memory.txt", "time.txt"
    localrule: True

rule memory:
    output: "memory.txt"
    resources: mem_mb=lambda wildcards, attempt: 600 * attempt, runtime=5
    shell: "python3 -c 'import time; held = bytearray(700 * 2**20); time.sleep(6)'; echo {resources.mem_mb} > {output}"

rule time:
    output: "time.txt"
    resources: mem_mb=500, runtime=lambda wildcards, attempt: 1 if attempt == 1 else 10
    shell: "[ {resources.runtime} -gt 1 ] || sleep 400; echo {resources.runtime} > {output}"
"""

CLOCKS = """
rule behind:
    input: "ahead.bin"
    output: "behind.bin"
    resources: mem_mb=500, runtime=5
    shell: "head -c 2000000 {input} > {output}; touch -d '2 hours ago' {output}"

rule ahead:
    output: "ahead.bin"
    resources: mem_mb=500, runtime=5
    shell: "head -c 2000000 /dev/zero > {output}; touch -d 'now + 2 hours' {output}"
"""


@pytest.fixture
def tiny(tmp_path, idle_cluster):
    """A function: start Snakemake on this Snakefile, through the cluster."""

    def start(snakefile: str, *arguments: str):
        (tmp_path / "Snakefile").write_text(snakefile)
        return submit(idle_cluster, tmp_path, *arguments, profile=profile_without_accounting(tmp_path))

    return start


def test_jobs_of_a_lost_node_run_elsewhere(tiny, idle_cluster, tmp_path):
    going = tiny(NODE_LOST)
    wait_for("four jobs at work", lambda: len(list(tmp_path.glob("*.began"))) == 4, seconds=60)
    lost = {job.number for job in going.jobs() if job.node == "node1"}
    idle_cluster.kill_node("node1")
    run = going.finish(seconds=240)
    assert run.status == 0, run.text[-4000:]
    states = {job.number: job.state for job in going.jobs()}
    assert len(lost) == 2
    assert {states.pop(number) for number in lost} == {"NODE_FAIL"}
    assert [*states.values()] == ["COMPLETED"] * 4
    assert {path.read_text().strip() for path in tmp_path.glob("?.txt")} == {"node2"}


def test_an_interrupted_training_is_cancelled_and_resumes(finished, idle_cluster, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "study")
    config, profile = folder / "study.yaml", profile_without_accounting(folder)
    longer = re.sub(r"(simclr: .*epochs: )1\b", r"\g<1>60", config.read_text())
    config.write_text(longer + "pretrain: {save_minutes: 0}\n")
    log = folder / "results/logs/pretrain_fold/simclr.fold0.log"
    first = submit(idle_cluster, folder, TRAINED, profile=profile, config=config)
    wait_for("a saved state", lambda: [*folder.glob("results/scratch/simclr/fold0/*/*")], seconds=180)
    first.interrupt()
    assert first.finish(seconds=90).status != 0
    wait_for("the end of the cancelled job", lambda: not idle_cluster.active(), seconds=60)
    assert {job.state for job in first.jobs()} == {"CANCELLED"}
    assert "stopped by" in log.read_text()
    assert not (folder / TRAINED).exists()
    second = submit(idle_cluster, folder, TRAINED, profile=profile, config=config)
    run = second.finish(seconds=240)
    assert run.status == 0, run.text[-4000:]
    assert [job.state for job in second.jobs()] == ["COMPLETED"]
    assert "training resumes" in log.read_text()
    assert (folder / TRAINED).stat().st_size
    assert len((folder / TRAINED).with_name("history.csv").read_text().splitlines()) == 1 + 60


def test_a_job_over_its_memory_or_time_is_tried_again_with_more(tiny, tmp_path):
    going = tiny(LIMITS)
    run = going.finish(seconds=300)
    assert run.status == 0, run.text[-4000:]
    ended = [(job.comment, job.state, job.memory, job.time_limit) for job in going.jobs()]
    assert [one for one in ended if one[0] == "rule_memory"] == [
        ("rule_memory", "FAILED", "600M", "5:00"),
        ("rule_memory", "COMPLETED", "1200M", "5:00"),
    ]
    assert [one for one in ended if one[0] == "rule_time"] == [
        ("rule_time", "TIMEOUT", "500M", "1:00"),
        ("rule_time", "COMPLETED", "500M", "10:00"),
    ]
    assert (tmp_path / "memory.txt").read_text() == "1200\n"


def test_an_unknown_partition_is_reported_before_anything_is_submitted(root, idle_cluster, tmp_path):
    folder = clone(root, tmp_path / "study")
    config = shutil.copy(root / "tests" / "config" / "small.yaml", folder / "study.yaml")
    profile = profile_without_accounting(folder) / "config.yaml"
    profile.write_text(profile.read_text().replace('#  slurm_partition: "…"', '  slurm_partition: "night"'))
    before = len(idle_cluster.jobs())
    going = submit(idle_cluster, folder, profile=profile.parent, config=config)
    run = going.finish(seconds=60)
    assert run.status == 1
    assert "slurm_partition in default-resources: the cluster has no partition night. Choose from cpu, gpu" in run.text
    assert "Traceback" not in run.text and "sbatch" not in run.text
    assert len(idle_cluster.jobs()) == before
    assert {job.state for job in idle_cluster.jobs()} <= set(ENDED)


def test_nodes_whose_clocks_differ_make_nothing_run_again(tiny, tmp_path):
    """Files of over 1 MB, which Snakemake compares by time: one from two hours ahead, one of two hours ago."""
    going = tiny(CLOCKS)
    run = going.finish(seconds=180)
    assert run.status == 0, run.text[-4000:]
    assert [job.comment for job in going.jobs()] == ["rule_ahead", "rule_behind"]
    again = tiny(CLOCKS, "--dry-run").finish(seconds=60)
    assert "Nothing to be done" in again.text
    os.utime(tmp_path / "ahead.bin")
    assert "rule behind" in tiny(CLOCKS, "--dry-run").finish(seconds=60).text, "a newer file would be noticed"
