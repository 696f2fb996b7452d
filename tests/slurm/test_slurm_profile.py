"""What the profile asks of SLURM, group by group and with its commented lines."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.slurm.cluster import GPU_NODE
from tests.slurm.runs import PROFILE, profile_without_accounting, submit
from tests.studies import Study

GROUP = """
rule all:
    input: "manhattan.txt", "regional.txt"
    localrule: True

rule loci_model:
    output: "loci.txt"
    resources: mem_mb=300, runtime=10
    shell: "echo $SLURM_JOB_ID > {output}"

rule plots_manhattan:
    input: "loci.txt"
    output: "manhattan.txt"
    resources: mem_mb=500, runtime=20
    shell: "echo $SLURM_JOB_ID > {output}"

rule plots_regional:
    input: "loci.txt"
    output: "regional.txt"
    threads: 2
    resources: mem_mb=lambda wildcards, attempt: 400 * attempt, runtime=30
    shell: "echo $SLURM_JOB_ID > {output}"
"""
GPU = """
rule pretrain_fold:
    output: "gpu.txt"
    resources: gpu=1, mem_mb=500, runtime=5
    shell: "echo $CUDA_VISIBLE_DEVICES $SLURMD_NODENAME > {output}"
"""


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_a_group_asks_for_the_most_memory_and_all_the_time(idle_cluster, tmp_path):
    (tmp_path / "Snakefile").write_text(GROUP)
    going = submit(idle_cluster, tmp_path, profile=profile_without_accounting(tmp_path))
    run = going.finish(seconds=120)
    assert run.status == 0, run.text[-4000:]
    (job,) = going.jobs()
    assert (job.memory, job.time_limit, job.cpus, job.gpus) == ("500M", "1:00:00", 2, 0)
    assert {path.read_text().strip() for path in tmp_path.glob("*.txt")} == {str(job.number)}


@pytest.mark.parametrize("title, partition", [("# GPU partition", "gpu"), ("# Clusters that require --gres", "cpu")])
def test_the_commented_lines_bring_a_gpu(title, partition, idle_cluster, tmp_path):
    (tmp_path / "Snakefile").write_text(GPU)
    profile = profile_without_accounting(tmp_path, title) / "config.yaml"
    profile.write_text(profile.read_text().replace('{slurm_partition: "…"}', "{slurm_partition: gpu}"))
    going = submit(idle_cluster, tmp_path, profile=profile.parent)
    run = going.finish(seconds=120)
    assert run.status == 0, run.text[-4000:]
    (job,) = going.jobs()
    assert (job.partition, job.node, job.gpus) == (partition, GPU_NODE, 1)
    assert (tmp_path / "gpu.txt").read_text() == f"0 {GPU_NODE}\n"


def test_what_a_grouped_job_needs_is_known_when_its_group_starts(finished, tmp_path):
    """A resource that reads the size of a file of the group itself would be left out of the group's request."""
    folder = shutil.copytree(finished.folder, tmp_path / "study")
    targets = [f"results/models/contig/{name}" for name in ("embeddings.h5ad", "phenotypes.parquet")]
    figures = ("manhattan.png", "overview.png", "features", "regional")
    found = ["loci.tsv", "followup.tsv", *(f"plots/{one}" for one in figures)]
    targets += [f"results/models/latents/{name}" for name in found]
    for target in targets:
        remove(folder / target)
    text = Study(folder, folder / "study.yaml")("--dry-run", *targets).text
    asked = dict(re.findall(r"\nrule (\w+):.*?\n    resources: ([^\n]*)", text, re.DOTALL))
    grouped = yaml.safe_load(PROFILE.read_text())["groups"]
    assert len(set(asked) & set(grouped)) == 8
    assert [rule for rule in asked if rule in grouped and re.search(r"(mem_mb|runtime)=<TBD>", asked[rule])] == []


def test_every_rule_that_asks_for_a_gpu_stands_in_the_commented_lines(root):
    rules = "\n".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    asking = {
        block.split(":", 1)[0]
        for block in re.split(r"^(?:use )?rule ", rules, flags=re.MULTILINE)[1:]
        if "gpu=1," in block
    }
    text = PROFILE.read_text()
    assert len(asking) > 5
    for key in ("slurm_partition:", "gpu: 0,"):
        assert set(re.findall(rf"^#  (\w+): {{{key}", text, re.MULTILINE)) == asking
    documented = re.search(r"\*\*GPUs\.\*\* (.*?) ask for one", (root / "docs/slurm.md").read_text(), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", documented[1])) == asking
