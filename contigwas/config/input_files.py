"""List the files that the config names, and find the missing ones."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from contigwas.config.downstream import tables
from contigwas.config.settings import autosomes, chromosomes, made, networks
from contigwas.genotypes.files import genotype_files
from contigwas.runtime.errors import UserError


def check_files(config: Mapping) -> None:
    """Raise UserError for the first file that the config names and that does not exist. No file is opened."""
    for _, message in missing_files(config):
        raise UserError(message)


def missing_files(config: Mapping) -> Iterator[tuple[str, str]]:
    """The key and an error message for every file that the config names, except files that a rule creates."""
    for key, path in named_files(config):
        if not made(config, path) and not Path(path).exists():
            yield key, f"config: {key} names {path}, which does not exist: correct the path or add the file"
    for model, recipe in config["models"].items():
        if "apply" in recipe:
            yield from ((f"models.{model}.apply", one) for one in _missing_frozen_files(config, model))


def named_files(config: Mapping) -> list[tuple[str, str]]:
    """The key and path of every file that the config names, except frozen models and globs of scores."""
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


def _missing_frozen_files(config: Mapping, model: str) -> Iterator[str]:
    """Error messages for missing files of a frozen model, whose folder another run wrote to results/models."""
    folder = config["models"][model]["apply"]
    if not networks(config, model):
        yield (
            f"config: models.{model}.apply names {folder}, which has no fold0/model.ckpt: name the folder "
            "results/models/<model> of another run, and copy its checkpoints too"
        )
    for name, target in (("alignment.npz", "align"), ("pca.h5ad", "phenotypes")):
        if not Path(folder, name).exists():
            yield (
                f"config: models.{model}.apply names {folder}, which has no {name}: run the target {target} in the run "
                "that created the folder, or copy that file too"
            )
