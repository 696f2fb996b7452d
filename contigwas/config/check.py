"""Check the config against its schema and for contradictions, with readable messages, and fill in its defaults."""

import copy
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

import jsonschema
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from contigwas.config.downstream import check_tasks
from contigwas.config.explain import check_explain
from contigwas.config.models import check_recipe, read_schema
from contigwas.config.settings import MODALITIES, OMNIBUS, autosomes, chromosomes
from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.genome_build import named_build
from contigwas.runtime.errors import UserError

TYPE_NAMES = {"number": "a number", "integer": "a whole number", "string": "text", "boolean": "true or false"}
TYPE_NAMES |= {"object": "a block of keys", "array": "a list", "null": "null"}


def check_config(config: dict) -> None:
    """Fill the defaults of the schema into `config`, in place. Raises UserError for the first mistake."""
    schema = read_schema()
    _check_keys(config, "config")
    error = jsonschema.exceptions.best_match(_validator()(schema).iter_errors(config))
    if error is not None:
        raise UserError(_message(error))
    pcs = config["genotypes"]["pcs"]
    config["gwas"].setdefault("covariates", [f"PC1-PC{pcs}"] if pcs else [])
    if "images" in config:
        config["images"].setdefault("crop", "fundus" if config["images"]["dimensions"] == 2 else "none")
    _check_references(config)


def _check_keys(value: object, place: str) -> None:
    """Raise UserError for a key that is not text: YAML reads a model named 1 or yes as another type."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise UserError(f"{place} has a key {key!r} that YAML does not read as text: use a name of letters")
            _check_keys(inner, f"{place}.{key}")


def _validator() -> type:
    """A validator that fills in defaults while it descends, so that omitted blocks are checked too."""

    def properties(validator, subschemas: Mapping, instance: object, schema: Mapping) -> Iterator:
        if validator.is_type(instance, "object"):
            for key, subschema in subschemas.items():
                if "default" in subschema:
                    instance.setdefault(key, copy.deepcopy(subschema["default"]))
        yield from Draft202012Validator.VALIDATORS["properties"](validator, subschemas, instance, schema)

    return extend(Draft202012Validator, {"properties": properties})


def _message(error: jsonschema.ValidationError) -> str:
    """The message of a schema error: the key, the mistake and how to fix it."""
    where = ".".join(str(part) for part in error.absolute_path)
    place = f"config: {where}" if where else "config"
    value = error.instance
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        keys = sorted({*error.schema.get("properties", {})})
        patterns = error.schema.get("patternProperties", {})
        unknown = sorted(
            str(key) for key in value if key not in keys and not any(re.search(one, str(key)) for one in patterns)
        )
        near = difflib.get_close_matches(unknown[0], keys, 1)
        hint = f"did you mean {near[0]}?" if near else f"valid keys are {', '.join(keys)}" if keys else "rename it"
        return f"{place} has an unknown key {unknown[0]}: {hint}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in value]
        return f"{place}: {', '.join(missing)} is missing. Add it (docs/config.md describes every key)"
    if error.validator == "type":
        if isinstance(value, str) and _is_number(value) and {"number", "integer"} & set(_listed(error.validator_value)):
            if value.strip().lstrip("+-").isdigit():
                return f"{place} is {value!r}, which YAML reads as text: write it without quotes"
            return (
                f"{place} is {value!r}, which YAML reads as text: write it without quotes and with a point, "
                f"such as {_with_point(value)}"
            )
        wanted = " or ".join(TYPE_NAMES[one] for one in _listed(error.validator_value))
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


def _check_references(config: Mapping) -> None:
    """Raise UserError for keys that contradict keys of other blocks, which a schema cannot check."""
    reserved = sorted({*config["modalities"]} & {*MODALITIES})
    if reserved:
        raise UserError(
            f"config: modalities.{reserved[0]} has the name of a modality of contigwas: choose another name"
        )
    for name, recipe in config["models"].items():
        for modality in recipe.get("modalities", []):
            if modality in config["modalities"]:
                continue
            if modality not in MODALITIES:
                names = ", ".join([*MODALITIES, *config["modalities"]])
                raise UserError(
                    f"config: models.{name}.modalities names {modality}, which must be one of {names}: supply it in "
                    "the block modalities, or remove it"
                )
            if modality not in config:
                raise UserError(
                    f"config: models.{name}.modalities names {modality}, but there is no {modality}: block: "
                    "add the block or remove the modality"
                )
        if recipe.get("adjust_pcs", 0) > config["genotypes"]["pcs"]:
            raise UserError(
                f"config: models.{name}.adjust_pcs is {recipe['adjust_pcs']}, more than genotypes.pcs: raise "
                "genotypes.pcs"
            )
        if "method" in recipe and "images" not in config:
            raise UserError(f"config: models.{name} trains on images, but there is no images: block: add it")
        if "method" in recipe:
            check_recipe(name, recipe, config)
        if "apply" in recipe and "images" not in config:
            raise UserError(f"config: models.{name} is applied to images, but there is no images: block: add it")
    images = config.get("images")
    if images and images["dimensions"] == 3 and images["crop"] == "fundus":
        raise UserError(
            "config: images.crop is fundus, but images.dimensions is 3: volumes are not cropped, remove crop"
        )
    check_tasks(config)
    check_explain(config)
    _check_chromosomes(config)
    snps = config.get("snps")
    if snps and snps["offset"] >= snps["stride"]:
        raise UserError(f"config: snps.offset is {snps['offset']}, but must be below snps.stride ({snps['stride']})")
    if snps and snps["list"] and snps["pruned"]:
        raise UserError("config: snps.list and snps.pruned are both set: use only one of them")
    if "pgs" in config and config["pgs"]["scores"] is None and not config["pgs"]["download"]:
        raise UserError("config: pgs has no score: name files in pgs.scores, or identifiers in pgs.download")
    if config["gwas"]["image_covariates"] and "images" not in config:
        raise UserError(
            "config: gwas.image_covariates names columns of images, but there is no images: block: add it or remove "
            "them"
        )
    test = config["loci"]["test"]
    if test in OMNIBUS and test not in config["gwas"]["tests"]:
        raise UserError(f"config: loci.test is {test}, which is not in gwas.tests: add it to gwas.tests")
    if config["loci"]["p2"] < config["loci"]["p1"]:
        raise UserError("config: loci.p2 is smaller than loci.p1: raise loci.p2 to at least loci.p1")
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
            raise UserError(f"config: {pattern} has braces other than {{chrom}}, the only wildcard: remove them")


def _check_genes(config: Mapping) -> None:
    """Raise UserError if the build of the list of genes, as declared or by its name, is not genotypes.build."""
    build, loci = config["genotypes"]["build"], config["loci"]
    declared = loci["genes_build"] or named_build(PurePath(loci["genes"] or "").name)
    if loci["genes"] and declared and declared != build:
        raise UserError(
            f"config: loci.genes names {loci['genes']}, which is on {declared} by its "
            f"{'declaration loci.genes_build' if loci['genes_build'] else 'name'}, but genotypes.build is {build}: "
            f"supply a list on {build}, or correct the build (loci.genes_build declares the build of the list)"
        )


def _check_chromosomes(config: Mapping) -> None:
    """Raise UserError unless the chromosomes are 1 to 22 and X, each once, with at least one autosome."""
    names = chromosomes(config)
    for chrom in names:
        if chrom == "X":
            continue
        if chromosome(chrom) == "X":
            raise UserError(f"config: genotypes.chromosomes has {chrom}: write X")
        if chromosome(chrom) in ("Y", "MT"):
            raise UserError(f"config: genotypes.chromosomes has {chrom}: Y and MT are not analysed, remove it")
        if not chrom.isdigit() or chrom != str(int(chrom)) or not 1 <= int(chrom) <= 22:
            raise UserError(
                f"config: genotypes.chromosomes has {chrom}: write autosomes as plain numbers (1 to 22) and X. "
                "Write a prefix such as chr in the file names, before {chrom}"
            )
    if len(set(names)) < len(names):
        raise UserError("config: genotypes.chromosomes has a duplicated chromosome: remove one of them")
    if not autosomes(config):
        raise UserError(
            "config: genotypes.chromosomes has only X, but sample QC, kinship and principal components use autosomes: "
            "add at least one"
        )
