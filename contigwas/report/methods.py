"""Methods text of a run for a paper, with citations, generated from the config."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

import yaml

from contigwas import __version__
from contigwas.config import downstream as tasks
from contigwas.config.settings import folds
from contigwas.plots.inflation import MIN_CHROMOSOMES
from contigwas.plots.style import TESTS, p_text
from contigwas.report.methods_models import model_sentences
from contigwas.report.wording import listed, percent, plural

PACKAGES = ("snakemake", "numpy", "scipy", "pandas", "anndata")
PARTITIONS = {"kmeans": "k-means", "hdbscan": "HDBSCAN [@hdbscan]"}  # arms of a clustering task
TRAINING_PACKAGES = ("torch", "lightning", "monai", "kornia")


@dataclass(frozen=True)
class Methods:
    """Paragraphs with citations as [1], the references in this order, and versions of packages by name."""

    paragraphs: Sequence[str]
    references: Sequence[str]
    packages: Mapping[str, str]


def methods(config: Mapping, tested: Mapping[str, int], clustered: Collection[str] = tuple(PARTITIONS)) -> Methods:
    """Return the methods of a run; `config` has all defaults, `tested` has the number of tested samples by model.

    `clustered` are the partitions that clustering tasks computed (kmeans, hdbscan); HDBSCAN is not run on many samples.
    """
    parts = [
        [
            f"All analyses were run with contigwas {__version__}, a Snakemake workflow [@snakemake].",
            *_simulation(config),
        ],
        list(_genotypes(config)),
        list(_modalities(config)),
        [one for name in config["models"] for one in model_sentences(config, name, folds)],
        list(_features(config, tested)),
        list(_tests(config)),
        [*_explanations(config), *_downstream(config, clustered)],
    ]
    paragraphs, references = number_citations([" ".join(part) for part in parts if part])
    return Methods(paragraphs, references, package_versions(config))


def number_citations(paragraphs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace `[@key]` and `[@key; @other]` by numbers in the order of first use, and return the references in it.

    Raises KeyError for a key that is not in references.yaml.
    """
    references = yaml.safe_load((resources.files("contigwas.report") / "references.yaml").read_text())
    order: dict[str, int] = {}

    def numbered(match: re.Match) -> str:
        keys = [one.strip().removeprefix("@") for one in match.group(1).split(";")]
        return "[" + ", ".join(str(order.setdefault(key, len(order) + 1)) for key in keys) + "]"

    texts = [re.sub(r"\[(@[^\]]+)\]", numbered, text) for text in paragraphs]
    return texts, [references[key] for key in order]


def package_versions(config: Mapping) -> dict[str, str]:
    """Return the versions of the packages that the run used."""
    trained = any("method" in one or "apply" in one for one in config["models"].values())
    names = [*PACKAGES, *(TRAINING_PACKAGES if trained else ()), "matplotlib", "bokeh", "itables"]
    names += ["captum"] if config.get("explain") and trained else []
    names += ["umap-learn"] if _uses_umap(config) else []
    names += ["scikit-learn"] if config["downstream"] else []
    names += ["msprime"] if "simulate" in config else []
    names += ["transformers"] if any(one.get("gene_encoder") == "mamba" for one in config["models"].values()) else []
    versions = {"contigwas": __version__}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _simulation(config: Mapping) -> Iterator[str]:
    if "simulate" in config:
        yield (
            f"The cohort was simulated: genotypes of {config['simulate']['n_samples']:,} samples of two populations by "
            "coalescent simulation with msprime [@msprime], and images that depend on traits with known causal "
            "variants."
        )


def _genotypes(config: Mapping) -> Iterator[str]:
    block, samples = config["genotypes"], config["samples"]
    qc, chromosomes = block["qc"], block["chromosomes"]
    yield (
        f"In the genotypes ({block['build']}, {plural(len(chromosomes), 'chromosome')}), variants were removed if "
        f"their call rate was below {qc['call_rate']}, their minor-allele frequency below {qc['maf']} or the p-value "
        f"of an exact Hardy-Weinberg test {'(mid-p) ' if qc['hwe_midp'] else ''}below {p_text(qc['hwe'])} [@hwe]. "
        f"Samples were removed if their call rate was below {qc['sample_call_rate']}."
    )
    if block["kinship"]:
        yield (
            f"Of related samples (kinship above {samples['max_kinship']} in a user-supplied table), only one was "
            "tested."
        )
    else:
        yield (
            f"Of related samples (KING-robust kinship [@king] above {samples['max_kinship']}), only one was tested; "
            "relatives were assigned to the same fold."
        )
    if block["pcs_file"]:
        yield f"{block['pcs']} genetic principal components were taken from a user-supplied table."
    elif block["pcs"]:
        drop = block["prune"]["long_range_ld"] == "drop"
        yield (
            f"{block['pcs']} genetic principal components were computed from variants pruned to "
            f"r² < {block['prune']['r2']}"
            f"{' outside regions of long-range LD [@long_range_ld]' if drop else ''} and fitted on unrelated samples."
        )


def _modalities(config: Mapping) -> Iterator[str]:
    used = {one for recipe in config["models"].values() for one in recipe.get("modalities", [])}
    if "snps" in used:
        snps = config["snps"]
        chosen = (
            "the variants in a list" if snps["list"] else "the variants kept by LD pruning" if snps["pruned"] else ""
        )
        every = f"one of every {snps['stride']} variants of the genotypes"
        yield f"The SNP modality consists of {chosen or every}."
    if "pgs" in used:
        pgs = config["pgs"]
        yield (
            "Variants of polygenic scores in the format of the PGS Catalog [@pgs_catalog] were matched by position and "
            f"alleles, then by rsID; strand-ambiguous variants were "
            f"{'dropped' if pgs['ambiguous'] == 'drop' else 'kept'}. Scores with less than "
            f"{percent(pgs['min_overlap'])} of their variants in the genotypes were excluded."
        )
    if "burden" in used:
        burden = config["burden"]
        masks = listed(burden["masks"]) if isinstance(burden["masks"], Mapping) else "a mask file"
        vep = ", with variants annotated by VEP [@vep]" if burden["sets"] is None else ""
        statistic = {
            "max": "the maximum number of alternate alleles at one variant",
            "sum": "the sum of alternate alleles",
            "comphet": "the sum of alternate alleles, at most 2",
            "binary": "the presence of any alternate allele",
        }[burden["statistic"]]
        yield (
            f"Gene burdens were computed for the masks {masks} as in REGENIE [@regenie]{vep}. A burden is {statistic} "
            f"over variants with an alternate-allele frequency of at most {burden['max_aaf']}."
        )
    if "expression" in used:
        scale = {"tpm": "as log(1 + TPM)", "counts": "as log(1 + CPM)", "log": "on the log scale of its table"}
        yield (
            f"Gene expression was used {scale[config['expression']['scale']]}, standardised by mean and SD of the "
            "training samples."
        )


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
            f"To avoid train-test leakage, {listed(crossed)} {'was' if len(crossed) == 1 else 'were'} cross-fitted: "
            "the features of each sample are from a network that was not trained on it, with families in one fold. The "
            "features of the networks were aligned by orthogonal Procrustes rotations [@procrustes] fitted on shared "
            "training samples."
        )
    if alone:
        yield f"With {listed(alone)}, only held-out samples were tested."
    learned = [name for name in models if "phenotypes" not in models[name] or "method" in models[name]]
    if learned:
        block, inverse = config["phenotypes"], config["phenotypes"]["transform"] == "inverse-normal"
        kind = f"{block['components']} principal components" if block["components"] else "raw values"
        unless = ", unless a model has other settings" if _has_own_phenotypes(config) else ""
        yield (
            f"The tested features were {kind} of the embeddings{unless}"
            f"{', regressed on the covariates and rank-based inverse normal transformed' if inverse else ''}."
        )
    if _uses_umap(config):
        yield "Maps of the samples in the feature space of a model were computed by UMAP [@umap]."
    if tested:
        yield f"Numbers of tested samples: {', '.join(f'{name} {count:,}' for name, count in tested.items())}."


def _has_own_phenotypes(config: Mapping) -> bool:
    return any(isinstance(one.get("phenotypes"), Mapping) for one in config["models"].values())


def _uses_umap(config: Mapping) -> bool:
    """Return whether a map is drawn by UMAP; models with user-supplied phenotypes have no map."""
    mapped = any({"method", "embeddings", "apply"} & {*one} for one in config["models"].values())
    return mapped and config["plots"]["map"]["method"] == "umap"


def _tests(config: Mapping) -> Iterator[str]:
    gwas, loci = config["gwas"], config["loci"]
    covariates = [*gwas["covariates"], *gwas["image_covariates"]]
    missing = (
        "complete cases at each variant"
        if gwas["missing"] == "exact"
        else "missing calls set to the mean of the variant"
    )
    adjusted = f"adjusted for {listed(covariates)}" if covariates else "without covariates"
    yield (
        f"Every feature was regressed on every variant {'of the imputed genotypes ' if gwas['genotypes'] else ''}by "
        f"exact linear regression, {adjusted} ({missing}; minor-allele frequency of at least {gwas['qc']['maf']} among "
        "the tested samples)."
    )
    if gwas["offsets"]:
        yield "Leave-one-chromosome-out predictions of REGENIE step 1 [@regenie] were subtracted from the features."
    names = {
        "minp": "the Bonferroni-corrected minimum p-value",
        "manova": "MANOVA (Wilks' lambda)",
        "acat": "the Cauchy combination test [@acat]",
    }
    test = TESTS.get(loci["test"], loci["test"])
    interval = (
        "by a jackknife over chromosomes [@jackknife]"
        if len(config["genotypes"]["chromosomes"]) >= MIN_CHROMOSOMES
        else "from order statistics around the median, which assumes independent tests"
    )
    if gwas["tests"]:
        yield f"Tests over all features of a model were {listed([names[one] for one in gwas['tests']])}."
    yield (
        f"Loci were defined by clumping the results of {test} as in plink 1.9 [@plink]: lead variants with "
        f"p ≤ {p_text(loci['p1'])}, and variants within {loci['kb']:g} kb that have r² > {loci['r2']} with them. "
        f"Genomic inflation is the median chi-square divided by its expectation [@genomic_control], with a 95 % "
        f"interval {interval}. In sensitivity analyses, lead variants were tested with heteroscedasticity-consistent "
        "standard errors (HC3 [@hc3])."
    )


def _explanations(config: Mapping) -> Iterator[str]:
    block = config.get("explain")
    if block:
        noise = " averaged over noisy inputs [@noise_tunnel]" if block["noise"]["copies"] else ""
        names = {
            "integrated_gradients": f"integrated gradients [@integrated_gradients]{noise}",
            "deeplift": "DeepLIFT [@deeplift]",
        }
        used = [names.get(one, one) for one in block.get("methods", [])]
        baseline = f" with the baseline {block['baseline']}" if isinstance(block.get("baseline"), str) else ""
        yield (
            f"The contrastive loss was attributed to genetic features by {listed(used)} in Captum [@captum]{baseline}."
        )


def _downstream(config: Mapping, clustered: Collection[str]) -> Iterator[str]:
    if tasks.of_kind(config, tasks.SEGMENTATION):
        names = {"unetr": "UNETR [@unetr]", "unet": "U-Net [@unet]"}
        used = {
            arm["network"]
            for task, model in _pairs(config, [tasks.SEGMENTATION])
            for arm in tasks.arms(config, task, model)
        }
        compared = listed(text for name, text in names.items() if name in used)
        comparison = f" and compared with {compared}" if compared else ""
        yield f"Segmentations were scored by the mean Dice of the samples{comparison}."
    clusters = [config["downstream"][name] for name in tasks.of_kind(config, tasks.CLUSTERS)]
    used_methods = [text for name, text in PARTITIONS.items() if name in clustered]
    if clusters and used_methods:
        matched = " and matched to labels" if any(one["labels"] for one in clusters) else ""
        yield f"Clusters were computed from the features by {listed(used_methods)}{matched}."
    used = {arm for task, model in _pairs(config, tasks.OF_LABELS) for arm in tasks.label_arms(config, task, model)}
    if used:
        names = {
            tasks.PROBE: "linear probes [@scikit-learn]",
            tasks.KNN: "nearest neighbours [@scikit-learn]",
            tasks.FINETUNED: "fine-tuned networks",
            tasks.SCRATCH: "networks trained from scratch",
        }
        yield (
            f"Labels were predicted by {listed(text for arm, text in names.items() if arm in used)}. Metrics were "
            "computed over all test samples, with bootstrap intervals over families."
        )


def _pairs(config: Mapping, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield every task of `kinds` with each of its models."""
    for kind in kinds:
        for task in tasks.of_kind(config, kind):
            yield from ((task, model) for model in tasks.models(config, task))
