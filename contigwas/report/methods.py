"""The methods of a run in sentences for a paper, from its config: what was done, and whom to cite."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

import yaml

from contigwas import __version__
from contigwas.config import downstream as tasks
from contigwas.config.settings import folds
from contigwas.plots.inflation import LEAST_CHROMOSOMES
from contigwas.plots.style import TESTS, p_text
from contigwas.report.methods_models import model_sentences
from contigwas.report.wording import listed, percent, plural

PACKAGES = ("snakemake", "numpy", "scipy", "pandas", "anndata")
PARTITIONS = {"kmeans": "k-means", "hdbscan": "HDBSCAN [@hdbscan]"}  # arms of a task of clusters
LEARNS = ("torch", "lightning", "monai", "kornia")


@dataclass(frozen=True)
class Methods:
    """Paragraphs with their citations as [1], the references in that order, and versions of packages by name."""

    paragraphs: Sequence[str]
    references: Sequence[str]
    packages: Mapping[str, str]


def methods(config: Mapping, tested: Mapping[str, int], clustered: Collection[str] = tuple(PARTITIONS)) -> Methods:
    """The methods of a run; `config` has all defaults, `tested` the samples tested by model.

    `clustered` are the partitions that tasks of clusters made (kmeans, hdbscan): of many samples there is no HDBSCAN.
    """
    parts = [
        [f"This run was made with contigwas {__version__} on Snakemake [@snakemake].", *_simulated(config)],
        list(_genotypes(config)),
        list(_modalities(config)),
        [one for name in config["models"] for one in model_sentences(config, name, folds)],
        list(_features(config, tested)),
        list(_tests(config)),
        [*_explanations(config), *_downstream(config, clustered)],
    ]
    paragraphs, references = cited([" ".join(part) for part in parts if part])
    return Methods(paragraphs, references, packages(config))


def cited(paragraphs: Sequence[str]) -> tuple[list[str], list[str]]:
    """`[@key]` and `[@key; @other]` as numbers in the order of their first use, and the references in that order.

    Raises KeyError for a key that references.yaml lacks.
    """
    known = yaml.safe_load((resources.files("contigwas.report") / "references.yaml").read_text())
    order: dict[str, int] = {}

    def numbered(found: re.Match) -> str:
        keys = [one.strip().removeprefix("@") for one in found.group(1).split(";")]
        return "[" + ", ".join(str(order.setdefault(key, len(order) + 1)) for key in keys) + "]"

    texts = [re.sub(r"\[(@[^\]]+)\]", numbered, text) for text in paragraphs]
    return texts, [known[key] for key in order]


def packages(config: Mapping) -> dict[str, str]:
    """Versions of the packages that the run used."""
    trained = any("method" in one or "apply" in one for one in config["models"].values())
    names = [*PACKAGES, *(LEARNS if trained else ()), "matplotlib", "bokeh", "itables"]
    names += ["captum"] if config.get("explain") and trained else []
    names += ["umap-learn"] if _umap(config) else []
    names += ["scikit-learn"] if config["downstream"] else []
    names += ["msprime"] if "simulate" in config else []
    names += ["transformers"] if any(one.get("gene_encoder") == "mamba" for one in config["models"].values()) else []
    found = {"contigwas": __version__}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _simulated(config: Mapping) -> Iterator[str]:
    if "simulate" in config:
        yield (
            f"The cohort is simulated: {config['simulate']['n_samples']:,} samples of two populations, by coalescent "
            "simulation with msprime [@msprime], with images drawn from traits whose causal variants are known."
        )


def _genotypes(config: Mapping) -> Iterator[str]:
    block, samples = config["genotypes"], config["samples"]
    qc, chromosomes = block["qc"], block["chromosomes"]
    yield (
        f"Genotypes ({block['build']}, {plural(len(chromosomes), 'chromosome')}) were filtered: variants with a call "
        f"rate below {qc['call_rate']}, a minor-allele frequency below {qc['maf']} or an exact Hardy-Weinberg p "
        f"{'(mid-p) ' if qc['hwe_midp'] else ''}below {p_text(qc['hwe'])} [@hwe] were removed, and samples with a call "
        f"rate below {qc['sample_call_rate']}."
    )
    if block["kinship"]:
        yield f"Of pairs of relatives in a table, with a kinship above {samples['max_kinship']}, one was tested."
    else:
        yield (
            f"Of samples with a KING-robust kinship [@king] above {samples['max_kinship']} one was tested; "
            "relatives share a fold."
        )
    if block["pcs_file"]:
        yield f"{block['pcs']} genetic principal components were taken from a table."
    elif block["pcs"]:
        drop = block["prune"]["long_range_ld"] == "drop"
        yield (
            f"{block['pcs']} genetic principal components come from variants pruned to r² < {block['prune']['r2']}"
            f"{' outside the regions of long-range LD [@long_range_ld]' if drop else ''}, fitted on unrelated samples."
        )


def _modalities(config: Mapping) -> Iterator[str]:
    used = {one for recipe in config["models"].values() for one in recipe.get("modalities", [])}
    if "snps" in used:
        snps = config["snps"]
        chosen = "those of a list" if snps["list"] else "those left by LD pruning" if snps["pruned"] else ""
        every = f"one of every {snps['stride']} variants of the genotypes"
        yield f"SNPs of the contrast are {chosen or every}."
    if "pgs" in used:
        pgs = config["pgs"]
        yield (
            "Polygenic scores in the format of the PGS Catalog [@pgs_catalog] were matched by position and alleles, "
            f"then by rsID, strand-ambiguous variants {'dropped' if pgs['ambiguous'] == 'drop' else 'kept'}; scores "
            f"with less than {percent(pgs['min_overlap'])} of their variants were left out."
        )
    if "burden" in used:
        burden = config["burden"]
        masks = listed(burden["masks"]) if isinstance(burden["masks"], Mapping) else "a mask file"
        vep = " (annotated by VEP [@vep])" if burden["sets"] is None else ""
        statistic = {
            "max": "the most alternate alleles at one variant",
            "sum": "the sum of alternate alleles",
            "comphet": "the sum of alternate alleles, at most 2",
            "binary": "whether any alternate allele is carried",
        }[burden["statistic"]]
        yield (
            f"Gene burdens in REGENIE's formats [@regenie]{vep} count, for the masks {masks}, {statistic} among "
            f"variants with an alternate-allele frequency of at most {burden['max_aaf']}."
        )
    if "expression" in used:
        entered = {"tpm": "as log(1 + TPM)", "counts": "as log(1 + CPM)", "log": "on the log scale of its table"}
        yield f"Gene expression entered {entered[config['expression']['scale']]}, scaled by the training samples."


def _features(config: Mapping, tested: Mapping[str, int]) -> Iterator[str]:
    models = config["models"]
    crossed = [name for name in models if "method" in models[name] and folds(config, name) >= 3]
    alone = [
        name
        for name in models
        if "method" in models[name] and models[name].get("modalities") and folds(config, name) == 1
    ]
    if crossed:
        yield (
            f"Nobody was tested with features of a network that saw their genotypes in training: {listed(crossed)} "
            f"{'was' if len(crossed) == 1 else 'were'} cross-fitted, families sharing a fold, and the networks' "
            "features were moved into one space by orthogonal Procrustes rotation [@procrustes] fitted on shared "
            "training samples."
        )
    if alone:
        yield f"Of {listed(alone)} only the held-out samples were tested."
    learned = [name for name in models if "phenotypes" not in models[name] or "method" in models[name]]
    if learned:
        block, inverse = config["phenotypes"], config["phenotypes"]["transform"] == "inverse-normal"
        kind = f"{block['components']} principal components" if block["components"] else "raw values"
        unless = ", where a model does not say otherwise" if _own(config) else ""
        yield (
            f"The features tested are {kind} of the embeddings{unless}"
            f"{', residualised and transformed to normal ranks' if inverse else ''}."
        )
    if _umap(config):
        yield "Maps of the samples in the space of a model's features are drawn by UMAP [@umap]."
    if tested:
        yield f"Samples tested: {', '.join(f'{name} {count:,}' for name, count in tested.items())}."


def _own(config: Mapping) -> bool:
    return any(isinstance(one.get("phenotypes"), Mapping) for one in config["models"].values())


def _umap(config: Mapping) -> bool:
    """Whether a map is drawn by UMAP: models of user-supplied phenotypes have none."""
    mapped = any({"method", "embeddings", "apply"} & {*one} for one in config["models"].values())
    return mapped and config["plots"]["map"]["method"] == "umap"


def _tests(config: Mapping) -> Iterator[str]:
    gwas, loci = config["gwas"], config["loci"]
    covariates = [*gwas["covariates"], *gwas["image_covariates"]]
    missing = "complete cases at each variant" if gwas["missing"] == "exact" else "missing calls at the variant's mean"
    yield (
        f"Every feature was regressed on every variant {'of the imputed genotypes ' if gwas['genotypes'] else ''}by "
        f"exact linear regression with the covariates {listed(covariates) or 'none'} ({missing}; minor-allele "
        f"frequency among the tested of at least {gwas['qc']['maf']})."
    )
    if gwas["offsets"]:
        yield "Leave-one-chromosome-out predictions of REGENIE's step 1 [@regenie] were taken out of the features."
    words = {
        "minp": "Bonferroni-corrected smallest p",
        "manova": "MANOVA (Wilks' lambda)",
        "acat": "the Cauchy combination [@acat]",
    }
    test = TESTS.get(loci["test"], loci["test"])
    interval = (
        "by a jackknife over chromosomes [@jackknife]"
        if len(config["genotypes"]["chromosomes"]) >= LEAST_CHROMOSOMES
        else "from ranks around the median, as if tests were independent"
    )
    if gwas["tests"]:
        yield f"Tests over all features of a model: {listed([words[one] for one in gwas['tests']])}."
    yield (
        f"Loci are clumps of variants by {test} as plink 1.9 makes them [@plink]: lead variants with "
        f"p ≤ {p_text(loci['p1'])}, and those within {loci['kb']:g} kb in r² > {loci['r2']} with them. "
        f"Inflation is the median chi-square over its expectation [@genomic_control], with an interval {interval}. "
        "Lead variants were tested again with errors robust to unequal variances (HC3 [@hc3])."
    )


def _explanations(config: Mapping) -> Iterator[str]:
    block = config.get("explain")
    if block:
        noise = " over noisy inputs [@noise_tunnel]" if block["noise"]["samples"] else ""
        names = {
            "integrated_gradients": f"integrated gradients [@integrated_gradients]{noise}",
            "deeplift": "DeepLIFT [@deeplift]",
        }
        used = [names.get(one, one) for one in block.get("methods", [])]
        baseline = f", from the baseline {block['baseline']}" if isinstance(block.get("baseline"), str) else ""
        yield (
            f"What the contrastive loss of a sample depends on was attributed to genetic features by {listed(used)}"
            f", in Captum [@captum]{baseline}."
        )


def _downstream(config: Mapping, clustered: Collection[str]) -> Iterator[str]:
    if tasks.of_kind(config, tasks.SEGMENTATION):
        names = {"unetr": "UNETR [@unetr]", "unet": "U-Net [@unet]"}
        used = {
            arm["network"]
            for task, model in _pairs(config, [tasks.SEGMENTATION])
            for arm in tasks.arms(config, task, model)
        }
        beside = listed(text for name, text in names.items() if name in used)
        yield f"Segmentation is scored by Dice over samples{f', beside {beside}' if beside else ''}."
    clusters = [config["downstream"][name] for name in tasks.of_kind(config, tasks.CLUSTERS)]
    made = [words for name, words in PARTITIONS.items() if name in clustered]
    if clusters and made:
        matched = ", matched to labels" if any(one["labels"] for one in clusters) else ""
        yield f"Clusters are those of {listed(made)} on the features{matched}."
    used = {arm for task, model in _pairs(config, tasks.OF_LABELS) for arm in tasks.label_arms(config, task, model)}
    if used:
        names = {
            tasks.PROBE: "linear probes [@scikit-learn]",
            tasks.KNN: "nearest neighbours [@scikit-learn]",
            tasks.FINETUNED: "fine-tuned networks",
            tasks.SCRATCH: "networks trained from scratch",
        }
        yield (
            f"Labels were predicted by {listed(text for arm, text in names.items() if arm in used)}, with metrics over "
            "the whole test set and bootstrap intervals over families."
        )


def _pairs(config: Mapping, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every task of `kinds` with each model that it is done with."""
    for kind in kinds:
        for task in tasks.of_kind(config, kind):
            yield from ((task, model) for model in tasks.models(config, task))
