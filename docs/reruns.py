"""Write docs/dev/reruns.md: the rules that run again after a change of each config key. Run by `make docs`.

For every key of the schema, the script takes a config that uses the key (tests/config/every_key.yaml, with empty input
files) and gives the key another value. It builds the DAG of both configs and compares their jobs in the same way as
Snakemake. A job runs again if its params, its set of inputs or its outputs differ, or if a job that it depends on runs
again. A dependency does not count if all files between the two jobs are `ancient`. tests/workflow/test_rerun.py
compares the results with the decisions of Snakemake on a finished run.
"""

import copy
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from rerun_dag import ROOT, Again, Dag, dag
from snakemake.exceptions import WorkflowError

from contigwas.config.models import methods, read_schema

STUDY = ROOT / "tests/config/every_key.yaml"
METHODS = [*methods()]

# Other values of keys for which `other()` cannot derive one from the schema.
OTHER = {
    "genotypes.array": "in/array2/chr{chrom}.bed",
    "genotypes.chromosomes": [1, 2, "X"],
    "genotypes.qc.heterozygosity": 5,
    "genotypes.pcs_file": "in/pcs.tsv",
    "genotypes.kinship": "in/kinship.tsv",
    "genotypes.ancestry.keep": ["a"],
    "snps.list": "in/list.txt",
    "pgs.scores": "in/other/*.txt.gz",
    "pgs.exclude": ["PGS000001"],
    "pgs.download": ["PGS000002"],
    "pgs.genotypes": None,
    "burden.masks": {"lof": ["LoF"], "damaging": ["LoF", "missense"]},
    "burden.vep.score": "REVEL",
    "covariates.columns": ["sex", "age"],
    "expression.id": "sample",
    "expression.drop": ["subtype"],
    "phenotypes.transform": "none",
    "gwas.genotypes": None,
    "gwas.covariates": ["sex"],
    "gwas.image_covariates": ["brightness"],
    "gwas.tests": ["manova"],
    "gwas.offsets": None,
    "gwas.columns": ["log10p"],
    "gwas.max_p": 0.01,
    "loci.test": "minp",
    "loci.feature_p": 1.0e-6,
    "loci.genes_build": "GRCh37",
    "export.formats": ["gwas-ssf", "plink2"],
    "images.crop": "none",
    "images.size": 128,
    "explain.models": ["contig"],
    "explain.methods": ["deeplift"],
    "export.features": ["E1"],
    "export.metadata.sex": "M",
    "plots.features": "all",
    "plots.map.colour": ["age"],
    "report.regions": 10,
    "embed.layer": "pgs",
    "pgs.catalog": "https://example.org",
    "burden.vep.gene": "Gene",
    "genotypes.ancestry.column": "group2",
    "pairing.planted.variant": "rs2",
    "simulate.folder": "made2",
    "simulate.planted_q2": [0.2],
    "simulate.groups.count": 3,
    "pairing.folder": "made2",
    "modalities.<name>": "in/metabolites2.tsv",
    "models.<name>.apply": "in/frozen2",
    "models.<name>.modalities": ["pgs"],
    "models.<name>.adjust": ["pgs", "snps"],
    "models.<name>.embed.layer": "views",
    "models.<name>.transform": "inverse-normal",
    "models.<name>.phenotypes.transform": "none",
    "models.<name>.embed.checkpoint": "best",
    "models.<name>.augment.hue": 0.1,
    "models.<name>.augment.blur": 1.0,
    "models.<name>.method": "autoencoder",
    "models.<name>.image_encoder": "resnet34",
    "models.<name>.width": 32,
    "models.<name>.folds": 1,
    "downstream.<name>.models": ["contig"],
    "downstream.<name>.k": 4,
    "downstream.<name>.id": "sample",
    "downstream.<name>.image": "other/{id}.png",
    "downstream.<name>.column": "stage",
    "downstream.<name>.classes": [0, 1, 2],
    "downstream.<name>.mask": "lesion",
    "downstream.<name>.labels": {"spot": 1},
    "downstream.<name>.modality": "pgs",
    "downstream.<name>.size": 80,
    "downstream.<name>.crop": "none",
    "downstream.<name>.arms": [{"name": "one", "encoder": "pretrained"}],
    "downstream.<name>.shares": [0.2],
    "downstream.<name>.width": 48,
}
LABELLED = {"genotypes": {"ancestry": {"table": "in/groups.tsv", "column": "group", "keep": ["b"]}}}
BY_DISTANCE = {"genotypes": {"ancestry": {"reference": None, "pcs": 2, "max_sd": 6}}}
# Changes of the config that are needed so that a key has an effect.
BESIDE = {
    "genotypes.ancestry.reference": BY_DISTANCE,
    "genotypes.ancestry.pcs": BY_DISTANCE,
    "genotypes.ancestry.max_sd": BY_DISTANCE,
    "export.formats": {"export": {"formats": ["gwas-ssf"]}},
    "genotypes.ancestry.table": {
        "genotypes": {"ancestry": {"table": "in/groups.tsv", "column": "group", "keep": ["b"]}}
    },
    "genotypes.ancestry.column": {
        "genotypes": {"ancestry": {"table": "in/groups.tsv", "column": "group", "keep": ["b"]}}
    },
    "genotypes.ancestry.keep": {
        "genotypes": {"ancestry": {"table": "in/groups.tsv", "column": "group", "keep": ["b"]}}
    },
    "pgs.catalog": {"pgs": {"download": ["PGS000002"], "scores": None}},
    "models.<name>.noise": {"models": {"contig": {"method": "contig", "modalities": ["covariates"]}}},
    "models.<name>.adjust": {
        "models": {"contig": {"method": "contig", "modalities": ["pgs", "snps"], "adjust": ["pgs"], "adjust_pcs": 2}}
    },
    "models.<name>.adjust_pcs": {"models": {"contig": {"method": "contig", "modalities": ["pgs"]}}},
    "models.<name>.genetics_encoder": {"models": {"contig": {"method": "contig", "modalities": ["pgs"]}}},
    "models.<name>.method": {"models": {"simclr": {"method": "simclr"}}},
    "embed.layer": {"models": {"contig": {"method": "contig", "modalities": ["pgs"]}}},
    "models.<name>.embed.layer": {"models": {"simclr": {"method": "simclr"}}},
}
SIMULATED = {
    "simulate": {"folder": "made", "chromosomes": 2, "planted_q2": [0.1]},
    "genotypes": {"array": "made/genotypes/chr{chrom}.bed", "chromosomes": [1, 2]},
    "models": {"traits": {"phenotypes": "made/latents.tsv"}},
}
DRAWN = {"images": {"table": "made/images.tsv", "crop": "none"}, "models": {"simclr": {"method": "simclr"}}}
PAIRED = {
    "pairing": {"folder": "made", "photographs": "in/photographs", "planted": {"variant": "rs1", "shift": 1.0}},
    "genotypes": {"array": "in/array/chr{chrom}.bed", "chromosomes": [1]},
    "images": {"table": "made/images.tsv"},
    "models": {"simclr": {"method": "simclr"}},
}


def keys() -> dict[str, dict]:
    """Return every key of the schema with its own schema. Keys of models are named models.<name>.…, each once."""
    schema = read_schema()
    definitions = schema["$defs"]
    found: dict[str, dict] = {}
    for name, block in schema["properties"].items():
        if name not in ("models", "downstream"):
            found |= _leaves(block, definitions, name)
    for kind in definitions["task"]["properties"]["task"]["enum"]:
        for key, one in _leaves(definitions[kind], definitions, "downstream.<name>").items():
            if key != "downstream.<name>.task":
                found.setdefault(key, one)
    recipes = [*(definitions[method] for method in METHODS), *_alternatives(definitions["model"])]
    for recipe in recipes:
        for key, one in _leaves(recipe, definitions, "models.<name>").items():
            found.setdefault(key, one)
    return found


def _alternatives(schema: Mapping) -> Iterator[Mapping]:
    while "else" in schema:
        schema = schema["else"]
        yield schema.get("then", schema)


def _leaves(schema: Mapping, definitions: Mapping, place: str) -> dict[str, dict]:
    schema = {**definitions.get(schema.get("$ref", "").rsplit("/", 1)[-1], {}), **schema}
    parts = [schema, *(schema[one] for one in ("then", "else") if one in schema)]
    inner = {key: sub for part in parts for key, sub in part.get("properties", {}).items()}
    if place == "modalities":
        inner = {"<name>": next(iter(schema["patternProperties"].values()))}
    if not inner:
        return {place: schema}
    found: dict[str, dict] = {}
    for key, sub in inner.items():
        found |= _leaves(sub, definitions, f"{place}.{key}")
    return found


def study_of(key: str) -> tuple[dict, str]:
    """Return a config in which `key` has an effect, and the full name of the key in this config."""
    block = key.partition(".")[0]
    if key in BESIDE:
        config = yaml.safe_load(STUDY.read_text())
        for name, part in BESIDE[key].items():
            config[name] = part if name == "models" else {**config[name], **part}
        if not any("modalities" in model for model in config["models"].values()):
            config.pop("explain")  # no model can be explained
        return config, key.replace("<name>", next(iter(config["models"])))
    kind = next((one for one in ("lesions", "groups") if key.startswith(f"simulate.{one}.")), None)
    if kind:
        config = copy.deepcopy(SIMULATED | DRAWN)
        config["simulate"][kind] = {}
        return config, key
    if block in ("simulate", "pairing"):
        return copy.deepcopy(SIMULATED if block == "simulate" else PAIRED), key
    config = yaml.safe_load(STUDY.read_text())
    if key == "modalities.<name>":
        return config, "modalities.metabolites"
    if block == "downstream":
        return config, key.replace("<name>", _task_with(key, config))
    if block != "models":
        return config, key
    return config, key.replace("<name>", _model_with(key, config))


def _model_with(key: str, config: dict) -> str:
    """Return the model of `config` that has a key of models. If there is none, add the first method that has it."""
    own = key.removeprefix("models.<name>.")
    definitions = read_schema()["$defs"]
    special = {"embeddings": "embedded", "apply": "applied", "transform": "traits", "phenotypes": "traits"}
    if own in special:
        return special[own]
    for method in METHODS:
        if key in _leaves(definitions[method], definitions, "models.<name>"):
            if method not in config["models"]:
                config["models"] = {method: {"method": method}}
                config["downstream"] = {}  # a network without feature maps supports no task
                config.pop("explain")  # a model without a modality cannot be explained
            return method
    raise KeyError(key)


def _task_with(key: str, config: dict) -> str:
    """Return the task of `config` that has a key of downstream."""
    definitions = read_schema()["$defs"]
    for name, task in config["downstream"].items():
        if key in _leaves(definitions[task["task"]], definitions, "downstream.<name>"):
            return name
    raise KeyError(key)


def other(key: str, schema: Mapping, value: object) -> object:
    """Return another valid value of a key. `value` is the current value, or None."""
    if key in OTHER:
        return OTHER[key]
    if "enum" in schema:
        return next((one for one in schema["enum"] if one != value and one is not None), value)
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "boolean" in kinds:
        return not value
    if "integer" in kinds:
        return (value or 0) + 1
    if "number" in kinds:
        return value * 0.9 if value else 0.05
    if "array" in kinds:
        return ["something"]
    if isinstance(value, str) and "/" in value:
        return re.sub(r"(\.\w+)?$", r"2\1", value, count=1)
    return f"in/{key.rsplit('.', 1)[-1]}.txt"


MOVED = {"simulate.folder", "pairing.folder"}  # paths in other keys are below these folders, so they change too


def changed(config: Mapping, key: str, schema: Mapping) -> dict:
    """Return a copy of the config with another value of one key."""
    config = copy.deepcopy(dict(config))
    place: dict = config
    *blocks, last = key.split(".")
    for block in blocks:
        place = place.setdefault(block, {})
    general = re.sub(r"^(models|downstream)\.\w+", r"\1.<name>", key).replace(
        "modalities.metabolites", "modalities.<name>"
    )
    place[last] = other(general, schema, place.get(last, schema.get("default")))
    return yaml.safe_load(yaml.safe_dump(config).replace("made/", "made2/")) if key in MOVED else config


@dataclass(frozen=True)
class Row:
    """The reruns caused by another value of a key.

    Attributes:
        again: jobs that run again.
        even_ancient: jobs that would run again if no file were `ancient`.
        stages: the stage of each rule.
        after: the stages that depend on each stage.
    """

    key: str
    again: Again
    even_ancient: Again
    stages: dict[str, str]
    after: dict[str, set[str]]


def row(key: str, beside: Mapping[str, Mapping] | None = None) -> Row:
    """Return the reruns caused by another value of `key`. `beside` contains further keys of the config, by block.

    Raises RuntimeError if the config with the other value is invalid.
    """
    config, name = study_of(key)
    config |= {block: {**config[block], **part} for block, part in (beside or {}).items()}
    try:
        before, after = _dag_of(yaml.safe_dump(config)), _dag_of(yaml.safe_dump(changed(config, name, keys()[key])))
    except (SystemExit, WorkflowError) as error:
        raise RuntimeError(f"{key}: no DAG for another value. Add a valid value to OTHER or BESIDE.") from error
    return Row(key, after.again(before), after.again(before, heed_ancient=False), after.stages, after.after())


@cache
def _dag_of(config: str) -> Dag:
    with tempfile.TemporaryDirectory() as folder:
        return dag(yaml.safe_load(config), Path(folder))


def rows(processes: int = 2) -> list[Row]:
    """Return one row for every key of the schema, in the order of the schema."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(row, keys(), chunksize=8))


INTRODUCTION = """# Reruns

This page is generated from the DAG by `make docs`. Do not edit it. A test generates it again and compares it. The test
also compares a part of it with the decisions of Snakemake on a finished run.

## Causes

A rule runs again in these cases:

- A config key that it reads has another value.
- Its set of input files is different.
- An external input file is newer than the results and has other content. Files of up to 1 MB are compared by content,
  larger files by modification time only.
- Code that it runs, in the library or in its script, was edited. Docstrings, comments and type annotations do not
  count.
- A rule that it depends on runs again.

Nothing else causes a rerun. In particular, these changes do not: another order of keys in the YAML file (except for
`evaluate` and `report`, which list models in that order), comments, touching a file, another number of cores, a new
clone, another profile.

## Common changes

| change | what runs again |
|---|---|
| a sample is added to the genotypes or to the table of images | everything, including training |
| a participant is added to `samples.withdrawn` | everything except training; `withdrawal` searches all results |
| `samples.retrain_on_withdrawal: true` is set after that | training, and the stages that depend on it |
| a chromosome is added | everything, including training, because its files contain samples |
| a model is added | its training, GWAS, loci and plots; `evaluate`, with its GWAS on common samples; `report` |
| a covariate is added to the table of covariates | `phenotypes` and the stages that depend on it |
| a listed image file is replaced or deleted | `images` and the stages that depend on it, including training |
| a statement of the library is edited | the rules that run it, and the stages that depend on them |
| a docstring, a comment or a type annotation is edited | nothing |
| results are deleted | the rules that write them, if another rule needs them |

## Table columns

The next sections list the config keys by block.

- **Rules that read it**: the rules whose own jobs change.
- **Stages that run again**: *x and dependents* means the stage x and all stages that depend on it. If the key belongs
  to a single model, only the jobs of that model, `evaluate`, `report` and `withdrawal` run again.

Targets that are not part of a plain run (`export`, `burden_masks`) run only on request. `withdrawal` runs only if
`samples.withdrawn` is set.
"""


SPARED = 3  # maximum number of exceptions to "and dependents" in a row


def page(found: Iterable[Row]) -> str:
    """Return the page: one section per config block. Keys of a block with the same reruns share a row."""
    blocks: dict[str, dict[tuple[str, str], list[str]]] = {}
    for one in found:
        block = blocks.setdefault(one.key.partition(".")[0] if "." in one.key else "Global settings", {})
        block.setdefault(_answer(one), []).append(one.key)
    text = INTRODUCTION
    for block, answers in blocks.items():
        text += f"\n## {block}\n\n| key | rules that read it | stages that run again |\n|---|---|---|\n"
        for (first, stages), names in answers.items():
            text += f"| {', '.join(f'`{name}`' for name in names)} | {first} | {stages} |\n"
    return text


def _answer(one: Row) -> tuple[str, str]:
    """Return the rules that read a key and the stages that run again, as text.

    The stages are given as the first stage of each chain of dependencies, with exceptions.
    """
    first = [rule for rule in one.stages if rule in {rule for rule, _ in one.again.first}]
    stages = dict.fromkeys(one.stages[rule] for rule in one.stages if rule in one.again.rules)
    heads: list[str] = []
    covered: set[str] = set()
    for stage in stages:
        if stage in covered:
            continue
        follows = one.after[stage] if len(one.after[stage] - set(stages)) <= SPARED else set()
        heads.append(f"{stage} and dependents" if follows else stage)
        covered |= {stage} | follows
    spared = [stage for stage in dict.fromkeys(one.stages.values()) if stage in covered - set(stages)]
    but = f", except {', '.join(spared)}" if spared else ""
    return " ".join(first) or "none", (", ".join(heads) or "nothing") + but


if __name__ == "__main__":
    target = ROOT / "docs/dev/reruns.md"
    target.write_text(page(rows()))
    sys.stdout.write(f"{target.relative_to(ROOT)}\n")
