"""Build the DAG of a config without running it, and compare it with another DAG as Snakemake does."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    RerunTrigger,
    ResourceSettings,
)

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"all", "export", "burden_masks"}
TRIGGERS = frozenset(RerunTrigger) - {RerunTrigger.CODE}  # as in profiles/
PARSED: dict[tuple, tuple] = {}  # Snakefiles as Python, of the DAGs before
Job = tuple[str, tuple[tuple[str, str], ...]]  # the name of a rule, and its wildcards


@dataclass(frozen=True)
class Again:
    """Jobs that run again.

    Attributes:
        first: jobs whose own params, inputs or outputs differ.
        every: these, and all jobs that depend on them.
    """

    first: frozenset[Job]
    every: frozenset[Job]

    @property
    def rules(self) -> set[str]:
        """The rules of all jobs that run again."""
        return {rule for rule, _ in self.every}


@dataclass(frozen=True)
class Dag:
    """The jobs of a workflow.

    Attributes:
        jobs: params, inputs and outputs of each job, which Snakemake compares.
        needs: the jobs that each job depends on, except through files that are all `ancient`.
        needs_even_ancient: the same, with files that are `ancient`.
        stages: the stage of each rule (the name of its file), in the order of the rules.
    """

    jobs: dict[Job, tuple]
    needs: dict[Job, set[Job]]
    needs_even_ancient: dict[Job, set[Job]]
    stages: dict[str, str]

    def again(self, before: "Dag", heed_ancient: bool = True) -> Again:
        """Return the jobs that run again after a finished run of `before`."""
        needs = self.needs if heed_ancient else self.needs_even_ancient
        first = {job for job, compared in self.jobs.items() if before.jobs.get(job) != compared}
        every = set(first)
        while more := {job for job in self.jobs if job not in every and needs[job] & every}:
            every |= more
        return Again(frozenset(first), frozenset(every))

    def after(self) -> dict[str, set[str]]:
        """Return the stages that depend on each stage, directly or indirectly."""
        direct: dict[str, set[str]] = {stage: set() for stage in self.stages.values()}
        for (rule, _), needs in self.needs_even_ancient.items():
            for one, _ in needs:
                direct[self.stages[one]].add(self.stages[rule])
        found = direct
        while (
            more := {one: others.union(*(found[other] for other in others)) for one, others in found.items()}
        ) != found:
            found = more
        return {one: others - {one} for one, others in found.items()}


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse every Snakefile once, which takes Snakemake as long as the rest of a DAG."""
    module = sys.modules["snakemake.workflow"]  # imported by its API, and not importable before it
    parse = module.parse

    def remembered(path: object, workflow: object, linemap: dict, rulecount: int = 0) -> tuple[str, int]:
        name = path.get_path_or_uri(secret_free=True)
        state = Path(name).stat()
        key = name, state.st_mtime_ns, state.st_size, rulecount
        if key not in PARSED:
            PARSED[key] = (parse(path, workflow, linemap=linemap, rulecount=rulecount), dict(linemap))
        found, lines = PARSED[key]
        linemap.update(lines)
        return found

    module.parse = remembered
    try:
        yield
    finally:
        module.parse = parse


@contextmanager
def building(
    folder: Path,
    config: Path | None,
    snakefile: Path,
    targets: Iterable[str],
    force: bool,
    forcerun: Iterable[str] = (),
    keys: Mapping | None = None,
) -> Iterator[object]:
    """Snakemake's workflow with its DAG built, nothing run; `force` takes every job as one to run.

    `forcerun` names rules that run anyway; `keys` are set on top of the config.
    """
    with chdir(folder), parsed_once(), SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[config] if config else [], config=keys or {}),
            snakefile=snakefile,
        )
        workflow.dag(DAGSettings(targets=set(targets), forceall=force, forcerun=set(forcerun), rerun_triggers=TRIGGERS))
        inside = workflow._workflow
        inside._prepare_dag(forceall=force, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        inside._build_dag()
        yield inside


def dag(config: Mapping, folder: Path) -> Dag:
    """Return the DAG of a config in `folder`. Empty input files are created there. No job runs."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    touch_inputs(config, folder)
    targets = TARGETS - (set() if "burden" in config else {"burden_masks"})
    with building(folder, path, ROOT / "workflow/Snakefile", targets, force=True) as workflow:
        return read(workflow)


def needed(folder: Path, config: Path) -> set[Job]:
    """Return the jobs that Snakemake would run now for the target `all`, in a folder with a copy of the workflow."""
    with building(folder, config, folder / "workflow/Snakefile", ["all"], force=False) as workflow:
        return {_name(job) for job in workflow.dag.needrun_jobs() if not job.rule.norun}


def read(workflow: object) -> Dag:
    """Return the parts of a built workflow that are compared."""
    jobs, needs, even = {}, {}, {}
    for job in workflow.dag.jobs:
        if job.rule.norun:
            continue
        name = _name(job)
        files = [frozenset(map(str, one)) for one in (job.input, job.output)]
        jobs[name] = (repr(sorted(map(repr, job.params))), *files)
        between = workflow.dag.dependencies[job]
        even[name] = {_name(one) for one in between if not one.rule.norun}
        needs[name] = {_name(one) for one, files in between.items() if not all(file.is_ancient for file in files)}
    stages = {rule.name: Path(str(rule.snakefile)).stem for rule in workflow.rules}
    if "replicate_model" in stages:  # its file is apply.smk, but it runs last
        del stages["replicate_model"]
        stages["replicate_model"] = "replicate"
    return Dag(jobs, needs, even, stages)


def _name(job: object) -> Job:
    return job.rule.name, tuple(sorted(job.wildcards_dict.items()))


def touch_inputs(config: Mapping, folder: Path) -> None:
    """Create every file below in/ that the config names, with its companion files, such as .bim and .fam of a .bed."""
    for text in {*_texts(config)}:
        if not text.startswith("in/"):
            continue
        for chrom in map(str, config["genotypes"]["chromosomes"]):
            name = text.replace("{chrom}", chrom).replace("*", "PGS000001")
            beside = [name.removesuffix("bed") + suffix for suffix in ("bim", "fam")] if name.endswith(".bed") else []
            if "frozen" in name:
                beside = [f"{name}/{one}" for one in ("alignment.npz", "pca.h5ad", "loci.tsv", "fold0/model.ckpt")]
            elif name.endswith("photographs"):
                beside = [f"{name}/1.png"]
            for path in [*beside, *([] if beside and "." not in Path(name).name else [name])]:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).touch()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
