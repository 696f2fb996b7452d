"""Write docs/reruns.md: which rules run again after which change of the config, taken from the DAG. `make docs`.

For every key of the schema a study that uses it (tests/config/every_key.yaml, with empty input files) is given another
value, and the jobs of both are compared as Snakemake compares them: a job runs again when its params, the set of its
inputs or its outputs are others than before, or when a job that it depends on runs again, unless all files between
them are `ancient`. tests/workflow/test_rerun.py checks this against what Snakemake itself decides on a finished run.
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

from contigwas.recipes import methods, read_schema

STUDY = ROOT / "tests/config/every_key.yaml"
METHODS = [*methods()]

# another value, where the schema does not tell one
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
    "downstream.<name>.id": "person",
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
# what else the study needs for a key to matter
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
    """Every key of the schema with its own schema; those of models as models.<name>.…, each once."""
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
    """The study in which the key matters, and the key's full name there."""
    block = key.partition(".")[0]
    if key in BESIDE:
        config = yaml.safe_load(STUDY.read_text())
        for name, part in BESIDE[key].items():
            config[name] = part if name == "models" else {**config[name], **part}
        if not any("modalities" in model for model in config["models"].values()):
            config.pop("explain")  # nothing could be explained
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
    """The model of the study that takes a key of models; where none does, it becomes the first method that does."""
    own = key.removeprefix("models.<name>.")
    definitions = read_schema()["$defs"]
    special = {"embeddings": "embedded", "apply": "applied", "transform": "traits", "phenotypes": "traits"}
    if own in special:
        return special[own]
    for method in METHODS:
        if key in _leaves(definitions[method], definitions, "models.<name>"):
            if method not in config["models"]:
                config["models"] = {method: {"method": method}}
                config["downstream"] = {}  # a network without feature maps could do no task
                config.pop("explain")  # nor be explained without a modality
            return method
    raise KeyError(key)


def _task_with(key: str, config: dict) -> str:
    """The task of the study that takes a key of downstream."""
    definitions = read_schema()["$defs"]
    for name, task in config["downstream"].items():
        if key in _leaves(definitions[task["task"]], definitions, "downstream.<name>"):
            return name
    raise KeyError(key)


def other(key: str, schema: Mapping, value: object) -> object:
    """Another valid value of a key. `value` is the present one, None where it has none."""
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


MOVED = {"simulate.folder", "pairing.folder"}  # other keys name files in these folders, and move with them


def changed(config: Mapping, key: str, schema: Mapping) -> dict:
    """The config with another value of one key."""
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
    """What another value of a key runs again, the same were no file ancient, the stages of the rules, and the stages
    that depend on each.
    """

    key: str
    again: Again
    even_ancient: Again
    stages: dict[str, str]
    after: dict[str, set[str]]


def row(key: str, beside: Mapping[str, Mapping] | None = None) -> Row:
    """What another value of `key` runs again; `beside` are further keys of the study, by block.

    Raises RuntimeError where the study does not take that value.
    """
    config, name = study_of(key)
    config |= {block: {**config[block], **part} for block, part in (beside or {}).items()}
    try:
        before, after = _dag_of(yaml.safe_dump(config)), _dag_of(yaml.safe_dump(changed(config, name, keys()[key])))
    except (SystemExit, WorkflowError) as error:
        raise RuntimeError(f"no DAG for another value of {key}: give one in OTHER or BESIDE") from error
    return Row(key, after.again(before), after.again(before, heed_ancient=False), after.stages, after.after())


@cache
def _dag_of(config: str) -> Dag:
    with tempfile.TemporaryDirectory() as folder:
        return dag(yaml.safe_load(config), Path(folder))


def rows(processes: int = 2) -> list[Row]:
    """One row for every key of the schema, in its order."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(row, keys(), chunksize=8))


INTRODUCTION = """# What runs again

Made from the DAG by `make docs`; do not edit. A test makes this table anew and compares it, and checks a part of it
against what Snakemake decides on a finished run.

A rule runs again when a setting that it reads has another value, when its set of input files changes, when a file from
outside is newer than its results and has other content (files up to 1 MB are compared by content, larger ones by their
time alone), when code that it runs (library, script) is edited, and when a rule before it runs. Nothing else does it:
the order of keys in the YAML (but `evaluate` and `report` list models in that order), comments, touching a file, cores,
a new clone, profiles.

| change | what runs |
|---|---|
| a person is added to the genotypes or the table of images | everything, training too |
| a person is added to `samples.withdrawn` | everything but training, and the search for what is left of them |
| then `samples.retrain_on_withdrawal: true` | training, and what follows |
| a chromosome is added | everything, training too: its file names people |
| a model is added | its own training, GWAS, loci and plots; `evaluate`, with its GWAS at equal people; `report` |
| a covariate is added to their table | `phenotypes` and what follows |
| a photograph is replaced under its name | nothing, photographs are no inputs: `--forcerun images pretrain_fold` |
| a module of the library is edited | the rules that run it, and what follows |
| results are deleted | what made them, if something needs it |

Below, *reads it* are the rules whose own jobs change. *x and after* are the stage x and all that depend on it; with a
setting of one model only the jobs of that model, `evaluate`, `report` and `withdrawal`. Targets beyond a plain run
(`export`, `burden_masks`) run when they are asked for. `withdrawal` runs where `samples.withdrawn` names a list.
"""


SPARED = 3  # stages that "and after" may name as exceptions


def page(found: Iterable[Row]) -> str:
    """The table, one section a block of the config; neighbours with the same answer share a row."""
    blocks: dict[str, dict[tuple[str, str], list[str]]] = {}
    for one in found:
        block = blocks.setdefault(one.key.partition(".")[0] if "." in one.key else "Whole run", {})
        block.setdefault(_answer(one), []).append(one.key)
    text = INTRODUCTION
    for block, answers in blocks.items():
        text += f"\n## {block}\n\n| setting | reads it | runs again |\n|---|---|---|\n"
        for (first, stages), names in answers.items():
            text += f"| {', '.join(f'`{name}`' for name in names)} | {first} | {stages} |\n"
    return text


def _answer(one: Row) -> tuple[str, str]:
    """The rules that read a key, and the stages that run again: those from which the others follow, and which of these
    do not.
    """
    first = [rule for rule in one.stages if rule in {rule for rule, _ in one.again.first}]
    stages = dict.fromkeys(one.stages[rule] for rule in one.stages if rule in one.again.rules)
    heads: list[str] = []
    covered: set[str] = set()
    for stage in stages:
        if stage in covered:
            continue
        follows = one.after[stage] if len(one.after[stage] - set(stages)) <= SPARED else set()
        heads.append(f"{stage} and after" if follows else stage)
        covered |= {stage} | follows
    spared = [stage for stage in dict.fromkeys(one.stages.values()) if stage in covered - set(stages)]
    but = f", but not {', '.join(spared)}" if spared else ""
    return " ".join(first) or "none", (", ".join(heads) or "nothing") + but


if __name__ == "__main__":
    target = ROOT / "docs/reruns.md"
    target.write_text(page(rows()))
    sys.stdout.write(f"{target.relative_to(ROOT)}\n")
