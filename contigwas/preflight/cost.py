"""What a run will take: hours, bytes of results and of memory, to an order of magnitude.

The rates are those of benchmarks/*.tsv (2 cores of an x86-64 virtual machine; one NVIDIA H200), scaled by the size of
the work. Quality control, pruning, components, explanations and segmentations have no benchmark there and are not
counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.config import downstream as config_downstream
from contigwas.config import settings as config_settings
from contigwas.config.explain import explained
from contigwas.config.models import methods
from contigwas.preflight.context import Study

# seconds for each unit of work, on 2 cores
KING = 17.73 / (10_000**2 * 50_000)  # a pair of samples and variant, twice: king.tsv, 10,000 samples x 50,000 variants
SNPS = 18.38 / (100_000 * 8_000)  # a sample and SNP written: snps.tsv, 100,000 samples, every 100th of 800,000
PGS = 5.41 / (8_000 * 40_000 * 481)  # a sample, variant and score: pgs_score.tsv, single files
BURDEN = 18.13 / (20_000 * 400_000)  # a sample and exome variant: burden.tsv
GWAS = (35.95 - 20.67) / (50_000 * 50_000 * 128)  # a sample, variant and feature: gwas.tsv, between its two sizes
# images a second of a network of one GFLOP: pretrain.tsv, ResNet-18 at 128 pixels and ResNet-50 at 448
GFLOPS = {"resnet10": 0.9, "resnet18": 1.8, "resnet34": 3.7, "resnet50": 4.1, "vit_mini": 0.4, "vit_tiny": 1.3,
          "vit_small": 4.6, "vit_base": 17.6}  # fmt: skip
MILLIONS = {"resnet10": 4.9, "resnet18": 11.2, "resnet34": 21.3, "resnet50": 23.5, "vit_mini": 1.5, "vit_tiny": 5.5,
            "vit_small": 21.7, "vit_base": 85.8}  # fmt: skip
AT = 224  # pixels, at which GFLOPS are counted
TRAIN = {"cpu": 41.79 * 1.8 * (128 / AT) ** 2, "gpu": 1182.2 * 4.1 * (448 / AT) ** 2}
EMBED = {"cpu": 161.09 * 1.8 * (128 / AT) ** 2, "gpu": 1288.4 * 4.1 * (448 / AT) ** 2}
PRUNED = 100_000  # variants that pruning leaves, at most
# bytes of memory
KING_BASE, GWAS_BASE = 0.5e9, 582 * 2**20  # king.tsv and gwas.tsv at their smallest
GWAS_SAMPLE = (900 - 582) * 2**20 / (50_000 - 8_000) / 128  # for each feature: gwas.tsv, 8,000 and 50,000 samples
EXPRESSION_BASE = 1.0e9  # a block of samples as text and as numbers
TORCH = 1.5e9  # bytes of a process that trains, before it has read anything


@dataclass(frozen=True)
class Cost:
    """hours and memory (bytes) by stage; disk: bytes of results by kind; lacking: what is not counted, and why."""

    hours: Mapping[str, float]
    memory: Mapping[str, float]
    disk: Mapping[str, float]
    lacking: list[str]


def estimate(study: Study, gpu: bool) -> Cost | None:
    """The cost of a run of `study`; None where the genotypes are not known yet."""
    analysed, array = study.analysed, study.variants.get("genotypes.array")
    if analysed is None or array is None:
        return None
    config, samples, variants = study.config, len(analysed), array.total
    hours, memory, disk = {}, {}, {}
    if not config["genotypes"]["kinship"]:
        pruned = min(PRUNED, variants)
        hours["genotypes (relatives)"] = KING * samples**2 * pruned
        memory["genotypes (relatives)"] = KING_BASE + samples * pruned / 4
    _modalities(study, samples, variants, hours, memory, disk)
    lacking = _images(study, gpu, hours, memory, disk)
    _fine_tuning(study, gpu, hours)
    _gwas(study, hours, memory, disk)
    hours = {stage: seconds / 3600 for stage, seconds in hours.items()}
    uncounted = ["quality control", "pruning", "components", *(["explanations"] if explained(config) else [])]
    uncounted += config_downstream.of_kind(config, config_downstream.SEGMENTATION)
    return Cost(hours, memory, disk, [f"{', '.join(uncounted[:-1])} and {uncounted[-1]} (no benchmark)", *lacking])


def _modalities(study: Study, samples: int, variants: int, hours: dict, memory: dict, disk: dict) -> None:
    config = study.config
    if "snps" in config:
        snps = min(variants, PRUNED) if config["snps"]["pruned"] else variants / config["snps"]["stride"]
        hours["snps"], disk["snps"] = SNPS * samples * snps, samples * snps
        study.counts["snps"] = snps
    if "pgs" in config and study.counts.get("scores"):
        scores = study.counts["scores"]
        own = study.variants.get("pgs.genotypes")
        hours["pgs"] = PGS * samples * (own.total if own else variants) * scores
        memory["pgs"] = 1e9 + 16 * samples * scores
        disk["pgs"] = 8 * samples * scores
    exome = study.variants.get("burden.genotypes")
    if exome is not None:
        hours["burden"] = BURDEN * samples * exome.total
        disk["burden"] = 10e6 * samples / 20_000 * study.counts.get("genes", 20_000) / 20_000
        memory["burden"] = 0.4e9 + 200 * exome.total
    genes = study.counts.get("expressed genes")
    if genes:
        disk["expression"] = 4 * samples * genes
        memory["expression"] = EXPRESSION_BASE + 4 * samples * genes


def _images(study: Study, gpu: bool, hours: dict, memory: dict, disk: dict) -> list[str]:
    """Decoding, training and embedding; returns what is not counted."""
    images = study.counts.get("images")
    if not images:
        return ["images (not known yet): decoding, training and embedding"] if "images" in study.config else []
    settings, device, lacking = study.config["images"], "gpu" if gpu else "cpu", []
    size, volumes = settings["size"], settings["dimensions"] == 3
    disk["images"] = images * (size**3 if volumes else 3 * size**2)
    if "seconds_an_image" in study.counts:
        hours["images"] = images * study.counts["seconds_an_image"]
    elif volumes:
        lacking.append("volumes (no benchmark): decoding, training and embedding")
    genetics = study.counts.get("snps", 0) + 4 * study.counts.get("scores", 0) + 2 * study.counts.get("genes", 0)
    genetics += 4 * study.counts.get("expressed genes", 0)
    for model, recipe in study.config["models"].items():
        if "method" not in recipe:
            continue
        folds = config_settings.folds(study.config, model)
        network, width = recipe.get("image_encoder"), recipe.get("width", 64) / 64
        millions = MILLIONS.get(network, 0) * (width**2 if str(network).startswith("resnet") else 1)
        millions += recipe.get("hidden", 0) * genetics / 1e6 if recipe.get("modalities") else 0
        disk[f"models ({model})"] = folds * 4e6 * millions + 4 * images * 2048 * folds
        train = study.counts.get(f"training samples of {model}", 0)
        held = train * genetics if recipe.get("modalities") else 0
        memory[f"pretrain ({model})"] = TORCH + 16e6 * millions + held
        if volumes or network is None:
            continue
        gflops = _gflops(recipe, size)
        passes = train * recipe.get("epochs", 0) * methods()[recipe["method"]].views * folds
        if passes:
            hours[f"pretrain ({model})"] = passes * gflops / TRAIN[device]
        hours[f"embed ({model})"] = images * folds * gflops / EMBED[device]
    return lacking


def _gflops(recipe: Mapping, size: int) -> float:
    network, width = recipe["image_encoder"], recipe.get("width", 64) / 64
    return GFLOPS[network] * (size / AT) ** 2 * (width**2 if network.startswith("resnet") else 1)


def _fine_tuning(study: Study, gpu: bool, hours: dict) -> None:
    """The arms of classifications and regressions that train a network: of the others each takes seconds."""
    config, rate = study.config, TRAIN["gpu" if gpu else "cpu"]
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


def _gwas(study: Study, hours: dict, memory: dict, disk: dict) -> None:
    """Of every model, and again at common samples where models are compared: those whom the fewest test, at most."""
    source = study.variants.get("gwas.genotypes") or study.variants["genotypes.array"]
    columns = len(study.config["gwas"]["columns"] or ("beta", "se", "log10p"))
    models = study.config["models"]
    features = {model: _features(study, model, recipe) for model, recipe in models.items()}
    samples = {model: study.counts.get(f"tested samples of {model}", 0) for model in models}
    for model, many in features.items():
        hours[f"gwas ({model})"] = GWAS * samples[model] * source.total * many
        memory[f"gwas ({model})"] = GWAS_BASE + GWAS_SAMPLE * samples[model] * max(many, 128)
        disk[f"gwas ({model})"] = source.total * (60 + 4 * many * columns)
    if study.config["evaluate"]["common_samples"] and len(models) > 1:
        hours["evaluate (common samples)"] = GWAS * min(samples.values()) * source.total * sum(features.values())
        disk["evaluate (common samples)"] = sum(disk[f"gwas ({model})"] for model in models)


def _features(study: Study, model: str, recipe: Mapping) -> float:
    own = recipe.get("phenotypes")
    override = own.get("components") if isinstance(own, dict) else None
    components = study.config["phenotypes"]["components"] if override is None else override
    if components == 0 or isinstance(own, str):
        return study.counts.get(f"features of {model}", 512)
    return components
