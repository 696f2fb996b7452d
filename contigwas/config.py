"""The config: checked against its schema with messages a user understands, defaults filled in, settings handed out."""

import copy
import difflib
import fnmatch
import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath

import jsonschema
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from contigwas.builds import named_build
from contigwas.errors import UserError
from contigwas.explained import check_explain
from contigwas.genotypes.files import genotype_files
from contigwas.genotypes.names import chromosome
from contigwas.recipes import check_recipe, read_schema
from contigwas.tasks import check_tasks, tables

TYPES = {"number": "a number", "integer": "a whole number", "string": "text", "boolean": "true or false"}
ABSENT = object()
OVERRIDES = ("embed", "phenotypes")  # blocks that a model may override for itself
MODALITIES = ("snps", "pgs", "burden", "covariates", "expression")  # those that are made here
OMNIBUS = ("minp", "manova", "acat")  # what gwas.tests may name; any other loci.test is the name of a feature
TYPES |= {"object": "a block of keys", "array": "a list", "null": "null"}


def check(config: dict) -> None:
    """Fill the schema's defaults into `config`, in place; raise UserError for the first thing that is wrong."""
    schema = read_schema()
    _check_keys(config, "config")
    error = jsonschema.exceptions.best_match(_validator()(schema).iter_errors(config))
    if error is not None:
        raise UserError(_sentence(error, schema))
    pcs = config["genotypes"]["pcs"]
    config["gwas"].setdefault("covariates", [f"PC1-PC{pcs}"] if pcs else [])
    if "images" in config:
        config["images"].setdefault("crop", "fundus" if config["images"]["dimensions"] == 2 else "none")
    _check_meaning(config)


def _check_keys(value: object, place: str) -> None:
    """Every key must be text: YAML reads a model that is called 1, or yes, as something else."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise UserError(f"{place} has a key {key!r} that YAML does not read as text: give it a name of letters")
            _check_keys(inner, f"{place}.{key}")


def _validator() -> type:
    """A validator that fills defaults as it descends, so that absent blocks are checked like present ones."""

    def properties(validator, subschemas: Mapping, instance: object, schema: Mapping) -> Iterator:
        if validator.is_type(instance, "object"):
            for key, subschema in subschemas.items():
                if "default" in subschema:
                    instance.setdefault(key, copy.deepcopy(subschema["default"]))
        yield from Draft202012Validator.VALIDATORS["properties"](validator, subschemas, instance, schema)

    return extend(Draft202012Validator, {"properties": properties})


def _sentence(error: jsonschema.ValidationError, schema: Mapping) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    place = f"config: {where}" if where else "config"
    value = error.instance
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = sorted({*error.schema.get("properties", {})})
        patterns = error.schema.get("patternProperties", {})
        odd = sorted(
            str(key) for key in value if key not in known and not any(re.search(one, str(key)) for one in patterns)
        )
        near = difflib.get_close_matches(odd[0], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}" if known else "rename it"
        return f"{place} has a key {odd[0]} that is not one of its settings: {hint}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in value]
        return f"{place} lacks {', '.join(missing)}: add it (docs/config.md explains every key)"
    if error.validator == "type":
        if isinstance(value, str) and _is_number(value) and {"number", "integer"} & set(_listed(error.validator_value)):
            if value.strip().lstrip("+-").isdigit():
                return f"{place} is {value!r}, which YAML reads as text: write it without quotes"
            return (
                f"{place} is {value!r}, which YAML reads as text: write it without quotes and with a point, "
                f"such as {_with_point(value)}"
            )
        wanted = " or ".join(TYPES[one] for one in _listed(error.validator_value))
        return f"{place} is {value!r}, but must be {wanted}: correct it"
    if error.validator == "enum":
        names = ", ".join("null" if one is None else str(one) for one in error.validator_value)
        return f"{place} is {value!r}, but must be one of {names}: correct it"
    if error.validator == "not":
        return f"{place} is {value!r}: write 1 (a held-out share is tested) or at least 3 (cross-fitting)"
    return f"{place} is not valid ({error.message}): {error.schema.get('description', 'correct it')}"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_point(text: str) -> str:
    mantissa, exponent, power = text.lower().partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"


def _check_meaning(config: Mapping) -> None:
    """What a schema cannot say: blocks that refer to one another."""
    taken = sorted({*config["modalities"]} & {*MODALITIES})
    if taken:
        raise UserError(f"config: modalities brings {taken[0]}, which is a modality's own name here: choose another")
    for name, recipe in config["models"].items():
        for modality in recipe.get("modalities", []):
            if modality in config["modalities"]:
                continue
            if modality not in MODALITIES:
                known = ", ".join([*MODALITIES, *config["modalities"]])
                raise UserError(
                    f"config: models.{name}.modalities names {modality}, which must be one of {known}: bring it in the "
                    "block modalities, or drop it"
                )
            if modality not in config:
                raise UserError(
                    f"config: models.{name}.modalities names {modality}, but there is no {modality}: block: "
                    "add the block or drop the modality"
                )
        if recipe.get("adjust_pcs", 0) > config["genotypes"]["pcs"]:
            raise UserError(
                f"config: models.{name}.adjust_pcs is {recipe['adjust_pcs']}, more than genotypes.pcs: raise that"
            )
        if "method" in recipe and "images" not in config:
            raise UserError(f"config: models.{name} trains on images, but there is no images: block: add it")
        if "method" in recipe:
            check_recipe(name, recipe, config)
        if "apply" in recipe and "images" not in config:
            raise UserError(f"config: models.{name} is applied to images, but there is no images: block: add it")
    images = config.get("images")
    if images and images["dimensions"] == 3 and images["crop"] == "fundus":
        raise UserError("config: images.crop is fundus, but images.dimensions is 3: volumes are not cropped, drop it")
    check_tasks(config)
    check_explain(config)
    _check_chromosomes(config)
    snps = config.get("snps")
    if snps and snps["offset"] >= snps["stride"]:
        raise UserError(f"config: snps.offset is {snps['offset']}, but must be below snps.stride ({snps['stride']})")
    if snps and snps["list"] and snps["pruned"]:
        raise UserError("config: snps has a list and asks for the pruned variants: choose one of them")
    if "pgs" in config and config["pgs"]["scores"] is None and not config["pgs"]["download"]:
        raise UserError("config: pgs names no score: name files in pgs.scores, or identifiers in pgs.download")
    if config["gwas"]["image_covariates"] and "images" not in config:
        raise UserError(
            "config: gwas.image_covariates names columns of images, but there is no images: block: add it or drop them"
        )
    test = config["loci"]["test"]
    if test in OMNIBUS and test not in config["gwas"]["tests"]:
        raise UserError(f"config: loci.test is {test}, which gwas.tests does not list: add it there")
    if config["loci"]["p2"] < config["loci"]["p1"]:
        raise UserError("config: loci.p2 is smaller than loci.p1: the second threshold must be the laxer one")
    _check_genes(config)
    patterns = [
        config["genotypes"]["array"],
        config["gwas"]["genotypes"],
        (config.get("burden") or {}).get("genotypes"),
        (config.get("pgs") or {}).get("genotypes"),
        config["plots"]["recombination"],
    ]
    for pattern in filter(None, patterns):
        if "{" in pattern.replace("{chrom}", ""):
            raise UserError(f"config: {pattern} holds braces other than {{chrom}}: that is the only wildcard")


def _check_genes(config: Mapping) -> None:
    """The list of genes must be of the genotypes' build, by its declaration, else by its name."""
    build, loci = config["genotypes"]["build"], config["loci"]
    said = loci["genes_build"] or named_build(PurePath(loci["genes"] or "").name)
    if loci["genes"] and said and said != build:
        raise UserError(
            f"config: loci.genes names {loci['genes']}, which is of {said} by its "
            f"{'declaration loci.genes_build' if loci['genes_build'] else 'name'}, but genotypes.build is {build}: "
            f"bring a list of {build}, or correct the build (loci.genes_build declares that of the list)"
        )


def _check_chromosomes(config: Mapping) -> None:
    """1 to 22 and X, by those names, each once; X is analysed beside autosomes only."""
    plain = chromosomes(config)
    for chrom in plain:
        if chrom == "X":
            continue
        if chromosome(chrom) == "X":
            raise UserError(f"config: genotypes.chromosomes holds {chrom}: write X")
        if chromosome(chrom) in ("Y", "MT"):
            raise UserError(f"config: genotypes.chromosomes holds {chrom}: Y and MT are not analysed, take it out")
        if not chrom.isdigit() or chrom != str(int(chrom)) or not 1 <= int(chrom) <= 22:
            raise UserError(
                f"config: genotypes.chromosomes holds {chrom}: write autosomes as plain numbers (1 to 22) and X, "
                "and what stands before the name in file names before {chrom}"
            )
    if len(set(plain)) < len(plain):
        raise UserError("config: genotypes.chromosomes names a chromosome twice: keep one of them")
    if not autosomes(config):
        raise UserError(
            "config: genotypes.chromosomes holds X alone: people, relatives and components are judged on autosomes, "
            "so add at least one"
        )


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


def settings(config: Mapping, *names: str, model: str | None = None) -> dict:
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


def check_files(config: Mapping) -> None:
    """Raise UserError for the first file that the config names and that is not there. Nothing is opened."""
    for _, sentence in missing_files(config):
        raise UserError(sentence)


def missing_files(config: Mapping) -> Iterator[tuple[str, str]]:
    """The key and a sentence for every file that the config names, that is not there and that no run makes."""
    for key, path in named_files(config):
        if not made(config, path) and not Path(path).exists():
            yield key, f"config: {key} names {path}, which does not exist: correct it or put it there"
    for model, recipe in config["models"].items():
        if "apply" in recipe:
            yield from ((f"models.{model}.apply", one) for one in _frozen_lacks(config, model))


def named_files(config: Mapping) -> list[tuple[str, str]]:
    """Every file that the config names, with its key; frozen models and globs of scores aside."""
    patterns = {"genotypes.array": config["genotypes"]["array"], "gwas.genotypes": config["gwas"]["genotypes"]}
    patterns |= {f"{stage}.genotypes": config.get(stage, {}).get("genotypes") for stage in ("burden", "pgs")}
    named = []
    for key, pattern in patterns.items():
        analysed = autosomes(config) if key in ("burden.genotypes", "pgs.genotypes") else chromosomes(config)
        for paths in genotype_files(pattern, analysed).values() if pattern else ():
            named += [(key, path) for path in paths]
    keys = ["samples.covariates", "samples.keep", "samples.withdrawn", "burden.annotations", "burden.sets"]
    keys += ["burden.masks", "burden.aaf", "expression.table", "expression.genes"]
    keys += ["snps.list", "images.table", "loci.genes", "evaluate.truth", "evaluate.latents", "pairing.photographs"]
    for key in keys:
        block, _, name = key.partition(".")
        named.append((key, config.get(block, {}).get(name)))
    ancestry = config["genotypes"]["ancestry"] or {}
    named += [(f"genotypes.{key}", config["genotypes"][key]) for key in ("kinship", "pcs_file")]
    named += [(f"genotypes.ancestry.{key}", ancestry.get(key)) for key in ("table", "reference")]
    maps = config["plots"]["recombination"]
    named += [("plots.recombination", maps.replace("{chrom}", one)) for one in chromosomes(config) if maps]
    named += [(f"modalities.{name}", path) for name, path in config["modalities"].items()]
    named += tables(config)
    for model, recipe in config["models"].items():
        named += [(f"models.{model}.{kind}", recipe.get(kind)) for kind in ("embeddings", "phenotypes", "weights")]
        if config["gwas"]["offsets"]:
            named.append(("gwas.offsets", config["gwas"]["offsets"].replace("{model}", model)))
    return [(key, path) for key, path in named if isinstance(path, str)]


def _frozen_lacks(config: Mapping, model: str) -> Iterator[str]:
    """What the folder of a frozen model lacks; it is what another run wrote to results/models."""
    folder = config["models"][model]["apply"]
    if not networks(config, model):
        yield (
            f"config: models.{model}.apply names {folder}, which has no fold0/model.ckpt: name the folder "
            "results/models/<model> of another run, or bring its checkpoints too"
        )
    for name, target in (("alignment.npz", "align"), ("pca.h5ad", "phenotypes")):
        if not Path(folder, name).exists():
            yield (
                f"config: models.{model}.apply names {folder}, which has no {name}: run the target {target} in the run "
                "that made it, or bring that file too"
            )


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
