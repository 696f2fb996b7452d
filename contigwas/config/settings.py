"""Values derived from the config: chromosomes, folds, the settings of a job, and the files that patterns match."""

import copy
import fnmatch
import glob
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from contigwas.runtime.errors import UserError

ABSENT = object()
OVERRIDES = ("embed", "phenotypes")  # blocks that a model may override
MODALITIES = ("snps", "pgs", "burden", "covariates", "expression")  # computed by a rule of this workflow
OMNIBUS = ("minp", "manova", "acat")  # the values of gwas.tests; any other loci.test is the name of a feature


def chromosomes(config: Mapping) -> list[str]:
    """The analysed chromosomes as text, in the order of the config."""
    return [str(chrom) for chrom in config["genotypes"]["chromosomes"]]


def autosomes(config: Mapping) -> list[str]:
    """The analysed chromosomes except X: sample QC, pruning, PCs, kinship and modalities use them."""
    return [chrom for chrom in chromosomes(config) if chrom != "X"]


def ordered(value: object) -> object:
    """The same value with every mapping sorted by key, so that reordering the YAML changes no param."""
    if isinstance(value, Mapping):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [ordered(one) for one in value]
    return value


def job_settings(config: Mapping, *names: str, model: str | None = None, task: str | None = None) -> dict[str, object]:
    """The part of the config that a rule reads, nested as in the config, with every mapping sorted by key.

    Each name is a block (`gwas`), a key (`seed`, `gwas.covariates`), or one of these: `chromosomes` and `autosomes` (as
    text), `model` (the recipe of `model`, with its number of folds) and `task` (the settings of the downstream task
    `task`), or a key of the last two (`model.modalities`). A name that ends in `?` is left out where the config lacks
    it. For a model that overrides `embed` or `phenotypes`, the override is merged in. Raises UserError when the config
    lacks a block.

    >>> job_settings({"genotypes": {"chromosomes": [1], "build": "GRCh37"}, "seed": 3}, "genotypes.build", "seed")
    {'genotypes': {'build': 'GRCh37'}, 'seed': 3}
    """
    tree, result = _tree(config, model, task), {}
    for name in names:
        path = name.removesuffix("?").split(".")
        value: object = tree
        for part in path:
            value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
        place = result
        for part in path[:-1]:
            place = place.setdefault(part, {})
        if value is not ABSENT:
            place[path[-1]] = value
        elif not name.endswith("?"):
            raise UserError(f"config: there is no {name}: block, which this target needs: add it")
    return ordered(copy.deepcopy(result))


def _tree(config: Mapping, model: str | None, task: str | None) -> dict[str, object]:
    """The config as a job of `model` and `task` sees it."""
    tree = {**config, "chromosomes": chromosomes(config), "autosomes": autosomes(config)}
    if model is not None:
        recipe = config["models"][model]
        for name in OVERRIDES:
            if isinstance(recipe.get(name), Mapping):
                tree[name] = {**config[name], **recipe[name]}
        tree["model"] = {key: value for key, value in recipe.items() if key not in OVERRIDES}
        if "method" in recipe:
            tree["model"]["folds"] = folds(config, model)
    if task is not None:
        tree["task"] = config["downstream"][task]
    return tree


def folds(config: Mapping, model: str) -> int:
    """The number of networks that a model trains: its own `folds`, else samples.folds with modalities and 1 without."""
    recipe = config["models"][model]
    if recipe.get("folds"):
        return recipe["folds"]
    return config["samples"]["folds"] if recipe.get("modalities") else 1


def made(config: Mapping, path: str) -> bool:
    """Whether a rule writes the file (the simulated cohort, the artificial pairing)."""
    folders = [config[block]["folder"] for block in ("simulate", "pairing") if block in config]
    return any(PurePath(path).is_relative_to(folder) for folder in folders)


def withdrawn(config: Mapping) -> str:
    """The list of withdrawn participants. Raises UserError when the config names none."""
    path = config["samples"]["withdrawn"]
    if path is None:
        raise UserError(
            "config: samples.withdrawn is null, but this target needs a list of withdrawn participants: name a file "
            "with one IID per line"
        )
    return path


def networks(config: Mapping, model: str) -> int:
    """The number of networks of a frozen model: consecutive folders fold0, fold1, … that hold a checkpoint."""
    folder, count = Path(config["models"][model]["apply"]), 0
    while Path(folder, f"fold{count}", "model.ckpt").exists():
        count += 1
    return count


def replicated(config: Mapping) -> list[str]:
    """The applied models whose folder holds a loci.tsv to replicate."""
    return [
        name
        for name, recipe in config["models"].items()
        if "apply" in recipe and Path(recipe["apply"], "loci.tsv").exists()
    ]


def require_replicated(names: list[str]) -> list[str]:
    """`names`. Raises UserError when there is none."""
    if not names:
        raise UserError(
            "config: no model applies a folder that holds a loci.tsv: add that file to a folder of models.<name>.apply"
        )
    return names


def loco_files(predictions: str) -> list[str]:
    """REGENIE's list of predictions, and the .loco files that it names."""
    lines = [line.split() for line in Path(predictions).read_text(errors="replace").splitlines()]
    named = [Path(fields[1]) for fields in lines if len(fields) == 2]
    found = [one if one.is_file() else Path(predictions).parent / one for one in named]
    return [predictions, *(str(one) for one in found if one.is_file())]


def found(pattern: str, key: str) -> list[str]:
    """The files that a glob finds, sorted; raises UserError where it finds none."""
    return matching(sorted(glob.glob(pattern)), pattern, key)  # noqa: PTH207 (Path.glob refuses absolute patterns)


def matching(paths: Iterable[str], pattern: str, key: str) -> list[str]:
    """Those of `paths` that match a glob; raises UserError where none does."""
    paths = fnmatch.filter(paths, pattern)
    if not paths:
        raise UserError(f"config: {key} is {pattern}, which no file matches: correct it or put the files there")
    return paths
