"""Estimate the hours, the size of the results and the memory of a run, to an order of magnitude.

The rates come from benchmarks/*.tsv (2 cores of an x86-64 virtual machine; one NVIDIA H200) and are scaled by the
size of the work. Quality control, pruning, principal components, explanations and segmentations have no benchmark and
are not estimated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.config import downstream as config_downstream
from contigwas.config import settings as config_settings
from contigwas.config.explain import explained
from contigwas.config.models import methods
from contigwas.preflight.context import PreflightContext

# seconds per unit of work on 2 cores. The comments name the unit and the benchmark
KING = 17.73 / (10_000**2 * 50_000)  # sample x sample x variant: king.tsv, 10,000 samples x 50,000 variants
SNPS = 18.38 / (100_000 * 8_000)  # sample x written SNP: snps.tsv, 100,000 samples, every 100th of 800,000
PGS = 5.41 / (8_000 * 40_000 * 481)  # sample x variant x score: pgs_score.tsv, single files
BURDEN = 18.13 / (20_000 * 400_000)  # sample x exome variant: burden.tsv
GWAS = (35.95 - 20.67) / (50_000 * 50_000 * 128)  # sample x variant x feature: gwas.tsv, difference of two sizes
# GFLOPs per image, and millions of parameters, of the image encoders at REFERENCE_SIZE pixels
GFLOPS = {"resnet10": 0.9, "resnet18": 1.8, "resnet34": 3.7, "resnet50": 4.1, "vit_mini": 0.4, "vit_tiny": 1.3,
          "vit_small": 4.6, "vit_base": 17.6}  # fmt: skip
MILLIONS = {"resnet10": 4.9, "resnet18": 11.2, "resnet34": 21.3, "resnet50": 23.5, "vit_mini": 1.5, "vit_tiny": 5.5,
            "vit_small": 21.7, "vit_base": 85.8}  # fmt: skip
REFERENCE_SIZE = 224  # pixels
# images per second of a network of one GFLOP: pretrain.tsv, ResNet-18 at 128 pixels (CPU), ResNet-50 at 448 (GPU)
TRAIN = {"cpu": 41.79 * 1.8 * (128 / REFERENCE_SIZE) ** 2, "gpu": 1182.2 * 4.1 * (448 / REFERENCE_SIZE) ** 2}
EMBED = {"cpu": 161.09 * 1.8 * (128 / REFERENCE_SIZE) ** 2, "gpu": 1288.4 * 4.1 * (448 / REFERENCE_SIZE) ** 2}
MAX_PRUNED = 100_000  # maximum number of variants after pruning
# bytes of memory
KING_BASE, GWAS_BASE = 0.5e9, 582 * 2**20  # smallest rows of king.tsv and gwas.tsv
GWAS_SAMPLE = (900 - 582) * 2**20 / (50_000 - 8_000) / 128  # per sample and feature: gwas.tsv, 8,000 and 50,000 samples
EXPRESSION_BASE = 1.0e9  # a block of samples, as text and as numbers
TORCH = 1.5e9  # a training process before it reads data


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a run.

    Attributes:
        hours: hours by stage.
        memory: bytes by stage.
        disk: bytes of results by kind.
        not_estimated: stages without an estimate, with the reason.
    """

    hours: Mapping[str, float]
    memory: Mapping[str, float]
    disk: Mapping[str, float]
    not_estimated: list[str]


def estimate(context: PreflightContext, gpu: bool) -> Cost | None:
    """The cost of a run; None if the genotypes are not known yet."""
    analysed, array = context.analysed, context.variants.get("genotypes.array")
    if analysed is None or array is None:
        return None
    config, samples, variants = context.config, len(analysed), array.total
    hours, memory, disk = {}, {}, {}
    if not config["genotypes"]["kinship"]:
        pruned = min(MAX_PRUNED, variants)
        hours["genotypes (relatives)"] = KING * samples**2 * pruned
        memory["genotypes (relatives)"] = KING_BASE + samples * pruned / 4
    _add_modalities(context, samples, variants, hours, memory, disk)
    not_estimated = _add_images(context, gpu, hours, memory, disk)
    _add_fine_tuning(context, gpu, hours)
    _add_gwas(context, hours, memory, disk)
    hours = {stage: seconds / 3600 for stage, seconds in hours.items()}
    no_benchmark = [
        "quality control",
        "pruning",
        "principal components",
        *(["explanations"] if explained(config) else []),
    ]
    no_benchmark += config_downstream.of_kind(config, config_downstream.SEGMENTATION)
    uncounted = f"{', '.join(no_benchmark[:-1])} and {no_benchmark[-1]} (no benchmark)"
    return Cost(hours, memory, disk, [uncounted, *not_estimated])


def _add_modalities(
    context: PreflightContext, samples: int, variants: int, hours: dict, memory: dict, disk: dict
) -> None:
    config = context.config
    if "snps" in config:
        snps = min(variants, MAX_PRUNED) if config["snps"]["pruned"] else variants / config["snps"]["stride"]
        hours["snps"], disk["snps"] = SNPS * samples * snps, samples * snps
        context.counts["snps"] = snps
    if "pgs" in config and context.counts.get("scores"):
        scores = context.counts["scores"]
        own = context.variants.get("pgs.genotypes")
        hours["pgs"] = PGS * samples * (own.total if own else variants) * scores
        memory["pgs"] = 1e9 + 16 * samples * scores
        disk["pgs"] = 8 * samples * scores
    exome = context.variants.get("burden.genotypes")
    if exome is not None:
        hours["burden"] = BURDEN * samples * exome.total
        disk["burden"] = 10e6 * samples / 20_000 * context.counts.get("genes", 20_000) / 20_000
        memory["burden"] = 0.4e9 + 200 * exome.total
    genes = context.counts.get("expressed genes")
    if genes:
        disk["expression"] = 4 * samples * genes
        memory["expression"] = EXPRESSION_BASE + 4 * samples * genes


def _add_images(context: PreflightContext, gpu: bool, hours: dict, memory: dict, disk: dict) -> list[str]:
    """Add decoding, training and embedding; returns the stages without an estimate."""
    images = context.counts.get("images")
    if not images:
        return ["decoding, training and embedding (images not known yet)"] if "images" in context.config else []
    settings, device, not_estimated = context.config["images"], "gpu" if gpu else "cpu", []
    size, volumes = settings["size"], settings["dimensions"] == 3
    disk["images"] = images * (size**3 if volumes else 3 * size**2)
    if "seconds_per_image" in context.counts:
        hours["images"] = images * context.counts["seconds_per_image"]
    elif volumes:
        not_estimated.append("decoding, training and embedding of volumes (no benchmark)")
    genetics = context.counts.get("snps", 0) + 4 * context.counts.get("scores", 0) + 2 * context.counts.get("genes", 0)
    genetics += 4 * context.counts.get("expressed genes", 0)
    for model, recipe in context.config["models"].items():
        if "method" not in recipe:
            continue
        folds = config_settings.folds(context.config, model)
        network, width = recipe.get("image_encoder"), recipe.get("width", 64) / 64
        millions = MILLIONS.get(network, 0) * (width**2 if str(network).startswith("resnet") else 1)
        millions += recipe.get("hidden", 0) * genetics / 1e6 if recipe.get("modalities") else 0
        disk[f"models ({model})"] = folds * 4e6 * millions + 4 * images * 2048 * folds
        train = context.counts.get(f"training samples of {model}", 0)
        modalities = train * genetics if recipe.get("modalities") else 0
        memory[f"pretrain ({model})"] = TORCH + 16e6 * millions + modalities
        if volumes or network is None:
            continue
        gflops = _gflops(recipe, size)
        passes = train * recipe.get("epochs", 0) * methods()[recipe["method"]].views * folds
        if passes:
            hours[f"pretrain ({model})"] = passes * gflops / TRAIN[device]
        hours[f"embed ({model})"] = images * folds * gflops / EMBED[device]
    return not_estimated


def _gflops(recipe: Mapping, size: int) -> float:
    network, width = recipe["image_encoder"], recipe.get("width", 64) / 64
    return GFLOPS[network] * (size / REFERENCE_SIZE) ** 2 * (width**2 if network.startswith("resnet") else 1)


def _add_fine_tuning(context: PreflightContext, gpu: bool, hours: dict) -> None:
    """Add the arms of classifications and regressions that train a network. The other arms take seconds each."""
    config, rate = context.config, TRAIN["gpu" if gpu else "cpu"]
    if "images" not in config or config["images"]["dimensions"] == 3:
        return
    for kind in config_downstream.OF_LABELS:
        for name in config_downstream.of_kind(config, kind):
            task, seconds = config["downstream"][name], 0.0
            for model in config_downstream.models(config, name):
                arms = {*config_downstream.label_arms(config, name, model)} & {*config_downstream.OF_NETWORKS}
                if not arms:
                    continue
                networks = config_settings.folds(config, model)
                splits = networks if task["cohort"] and networks > 1 else task["folds"]
                fits = len(arms) * len(task["shares"]) * task["seeds"] * splits
                size = task["size"] or config["images"]["size"]
                seconds += fits * task["steps"] * task["batch"] * _gflops(config["models"][model], size) / rate
            if seconds:
                hours[f"downstream ({name})"] = seconds


def _add_gwas(context: PreflightContext, hours: dict, memory: dict, disk: dict) -> None:
    """Add the GWAS of every model, and the one of the common samples if models are compared.

    The number of common samples is at most the number of tested samples of the model that tests the fewest.
    """
    source = context.variants.get("gwas.genotypes") or context.variants["genotypes.array"]
    columns = len(context.config["gwas"]["columns"] or ("beta", "se", "log10p"))
    models = context.config["models"]
    features = {model: _count_features(context, model, recipe) for model, recipe in models.items()}
    samples = {model: context.counts.get(f"tested samples of {model}", 0) for model in models}
    for model, many in features.items():
        hours[f"gwas ({model})"] = GWAS * samples[model] * source.total * many
        memory[f"gwas ({model})"] = GWAS_BASE + GWAS_SAMPLE * samples[model] * max(many, 128)
        disk[f"gwas ({model})"] = source.total * (60 + 4 * many * columns)
    if context.config["evaluate"]["common_samples"] and len(models) > 1:
        hours["evaluate (common samples)"] = GWAS * min(samples.values()) * source.total * sum(features.values())
        disk["evaluate (common samples)"] = sum(disk[f"gwas ({model})"] for model in models)


def _count_features(context: PreflightContext, model: str, recipe: Mapping) -> float:
    own = recipe.get("phenotypes")
    override = own.get("components") if isinstance(own, dict) else None
    components = context.config["phenotypes"]["components"] if override is None else override
    if components == 0 or isinstance(own, str):
        return context.counts.get(f"features of {model}", 512)
    return components
