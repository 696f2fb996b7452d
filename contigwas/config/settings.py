"""What the config says: chromosomes, folds, the settings of a job, and the files that patterns match."""

import copy
import fnmatch
import glob
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from contigwas.runtime.errors import UserError

ABSENT = object()
OVERRIDES = ("embed", "phenotypes")  # blocks that a model may override for itself
MODALITIES = ("snps", "pgs", "burden", "covariates", "expression")  # those that are made here
OMNIBUS = ("minp", "manova", "acat")  # what gwas.tests may name; any other loci.test is the name of a feature


def chromosomes(config: Mapping) -> list[str]:
    """The chromosomes that are analysed, as text, in the order of the config."""
    return [str(chrom) for chrom in config["genotypes"]["chromosomes"]]


def autosomes(config: Mapping) -> list[str]:
    """Those of the chromosomes that are not X: people, pruning, PCs, relatives and modalities come from them."""
    return [chrom for chrom in chromosomes(config) if chrom != "X"]


def ordered(value: object) -> object:
    """The same value with every mapping sorted by key, so that a reordered YAML is no change."""
    if isinstance(value, Mapping):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [ordered(one) for one in value]
    return value


def job_settings(config: Mapping, *names: str, model: str | None = None) -> dict:
    """The settings of a rule as one flat, sorted dict.

    Each name is a block (`gwas`: its keys; `models` is kept whole), a key inside one (`gwas.covariates`, `seed`: stored
    under its last part), `autosomes` (the chromosomes but X), `model` (the recipe of `model`, with its number of folds)
    or a key of it (`model.modalities`). A name that ends in `?` is left out where the config lacks it. For a model that
    overrides `embed` or `phenotypes`, the override is merged in.
    Raises UserError when the config lacks a block.
    """
    recipe = config["models"][model] if model is not None else {}
    if "method" in recipe:
        recipe = {**recipe, "folds": folds(config, model)}
    tree = {
        **config,
        "autosomes": autosomes(config),
        "model": {key: value for key, value in recipe.items() if key not in OVERRIDES},
    }
    result: dict = {}
    for name in names:
        path = name.removesuffix("?").split(".")
        value: object = tree
        for part in path:
            value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
        if value is ABSENT:
            if name.endswith("?"):
                continue
            raise UserError(f"config: there is no {name}: block, which this target needs: add it")
        if isinstance(value, Mapping) and name != "models":
            override = recipe.get(name)
            result.update({**value, **(override if isinstance(override, Mapping) else {})})
        else:
            result[path[-1]] = value
    return ordered(copy.deepcopy(result))


def folds(config: Mapping, model: str) -> int:
    """How many networks a model trains: its own `folds`, else samples.folds with genetics and 1 without."""
    recipe = config["models"][model]
    if recipe.get("folds"):
        return recipe["folds"]
    return config["samples"]["folds"] if recipe.get("modalities") else 1


def made(config: Mapping, path: str) -> bool:
    """Whether the workflow itself makes the file: the demo's cohort, an artificial pairing."""
    folders = [config[block]["folder"] for block in ("simulate", "pairing") if block in config]
    return any(PurePath(path).is_relative_to(folder) for folder in folders)


def withdrawn(config: Mapping) -> str:
    """The list of the people who withdrew, or a UserError where the config names none."""
    path = config["samples"]["withdrawn"]
    if path is None:
        raise UserError("config: samples.withdrawn names no list, which this target needs: name one, one IID a line")
    return path


def networks(config: Mapping, model: str) -> int:
    """How many networks a frozen model has: the folders fold0, fold1, … with a checkpoint, up to the first without."""
    folder, count = Path(config["models"][model]["apply"]), 0
    while Path(folder, f"fold{count}", "model.ckpt").exists():
        count += 1
    return count


def replicated(config: Mapping) -> list[str]:
    """The applied models whose discovery has a table of loci to look up."""
    return [
        name
        for name, recipe in config["models"].items()
        if "apply" in recipe and Path(recipe["apply"], "loci.tsv").exists()
    ]


def require_replicated(names: list[str]) -> list[str]:
    """`names`, or a UserError where there is none."""
    if not names:
        raise UserError("config: no model has apply: with a folder that holds a loci.tsv: add that file")
    return names


def loco_files(predictions: str) -> list[str]:
    """REGENIE's list of predictions, and the .loco files that it names."""
    lines = [line.split() for line in Path(predictions).read_text(errors="replace").splitlines()]
    named = [Path(fields[1]) for fields in lines if len(fields) == 2]
    beside = [one if one.is_file() else Path(predictions).parent / one for one in named]
    return [predictions, *(str(one) for one in beside if one.is_file())]


def found(pattern: str, key: str) -> list[str]:
    """The files that a glob finds, sorted; raises UserError where it finds none."""
    return matching(sorted(glob.glob(pattern)), pattern, key)  # noqa: PTH207 (Path.glob refuses absolute patterns)


def matching(paths: Iterable[str], pattern: str, key: str) -> list[str]:
    """Those of `paths` that match a glob; raises UserError where none does."""
    paths = fnmatch.filter(paths, pattern)
    if not paths:
        raise UserError(f"config: {key} is {pattern}, which no file matches: correct it or put the files there")
    return paths
