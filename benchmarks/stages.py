"""The stages of the pipeline as library calls, in the order in which the rules call them.

Studies that train hundreds of networks use these instead of jobs of the workflow, because starting a process for a job
takes as long as a small GWAS. The computations are the same.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from contigwas.align import align  # noqa: E402
from contigwas.burden import write_burden  # noqa: E402
from contigwas.config.settings import job_settings  # noqa: E402
from contigwas.embed import embed  # noqa: E402
from contigwas.genotypes.kinship import kinship  # noqa: E402
from contigwas.genotypes.pcs import principal_components, prune  # noqa: E402
from contigwas.genotypes.qc import variant_qc  # noqa: E402
from contigwas.genotypes.samples import samples_qc  # noqa: E402
from contigwas.gwas.gwas import write_gwas  # noqa: E402
from contigwas.gwas.summary import read_lambda  # noqa: E402
from contigwas.images.store import write_images  # noqa: E402
from contigwas.loci import write_loci  # noqa: E402
from contigwas.pgs import write_pgs  # noqa: E402
from contigwas.phenotypes import write_phenotypes  # noqa: E402
from contigwas.phenotypes.external import write_external  # noqa: E402
from contigwas.pretrain.train import train  # noqa: E402
from contigwas.samples.candidates import write_candidates  # noqa: E402
from contigwas.samples.selection import write_cohort  # noqa: E402
from contigwas.simulate.cohort import simulate_cohort  # noqa: E402
from contigwas.simulate.images import simulate_images  # noqa: E402
from contigwas.snps import write_snps  # noqa: E402
from contigwas.tables.text import read_table  # noqa: E402

TRAINING = ("model", "seed", "math_threads", "samples.validation", "samples.heldout")


@dataclass(frozen=True)
class Cohort:
    """The files of a study that training needs.

    `genotypes` is the path of the array genotypes with {chrom}, `variants` the path of the variant tables with {chrom}.
    """

    folder: Path
    genotypes: str
    chromosomes: tuple[str, ...]
    variants: str
    samples: Path
    pcs: Path
    covariates: Path | None
    images: tuple[Path, Path]
    modalities: Mapping[str, Path]

    def with_images(self, table: Path) -> "Cohort":
        """Return the same cohort with another table of images."""
        return replace(self, images=(self.images[0], table))


@dataclass(frozen=True)
class Gwas:
    """The GWAS files of one model: tables by chromosome, summaries, phenotypes and loci."""

    tables: Mapping[str, Path]
    summaries: Sequence[Path]
    phenotypes: Path
    loci: Path

    def lambdas(self) -> pd.Series:
        """Genomic inflation of every test."""
        return read_lambda(self.summaries).set_index("test")["lambda"]

    def features(self) -> list[str]:
        """The names of the features."""
        return [name for name in pd.read_parquet(self.phenotypes).columns if name != "iid"]


def cohort_of(config: Mapping, folder: Path, results: Path) -> Cohort:
    """Return the paths of a study: simulated files in `folder`, outputs of the stages in `results`."""
    chromosomes = tuple(str(one) for one in config["genotypes"]["chromosomes"])
    names = [name for name in ("snps", "pgs", "burden") if name in config]
    covariates = config["samples"]["covariates"]
    return Cohort(
        folder,
        str(folder / config["genotypes"]["array"]),
        chromosomes,
        str(results / "genotypes/variants/chr{chrom}.parquet"),
        results / "samples/cohort.tsv",
        results / "genotypes/pcs.parquet",
        folder / covariates if covariates else None,
        (results / "images/images.npy", results / "images/images.parquet"),
        {name: results / f"modalities/{name}.h5ad" for name in names},
    )


def simulated_cohort(config: Mapping, folder: Path) -> Cohort:
    """Simulate a study in `folder` and run all stages before training. Paths of `config` are relative to `folder`."""
    seed, build = config["seed"], config["genotypes"]["build"]
    place = folder / config["simulate"]["folder"]
    simulate_cohort(place, config["simulate"], build, seed)
    simulate_images(place / "latents.tsv", place, config["simulate"], seed)
    results = folder / "results"
    cohort = cohort_of(config, folder, results)
    exome = str(folder / config["burden"]["genotypes"])
    for part in ("genotypes/variants", "genotypes/missing", "genotypes/pruned", "samples", "modalities", "images"):
        (results / part).mkdir(parents=True, exist_ok=True)

    first = cohort.chromosomes[0]
    fam = [Path(pattern.format(chrom=first)).with_suffix(".fam") for pattern in (cohort.genotypes, exome)]
    candidates = results / "samples/candidates.tsv"
    write_candidates([fam[0]], place / "images.tsv", [fam[1]], output=candidates)
    missing, pruned = [], []
    quality = {**config["genotypes"]["qc"], "array": cohort.genotypes, "build": build}
    samples = results / "genotypes/samples.parquet"
    for chrom in cohort.chromosomes:
        missing.append(results / f"genotypes/missing/chr{chrom}.parquet")
        variants = cohort.variants.format(chrom=chrom)
        variant_qc(cohort.genotypes, chrom, candidates, quality, build, variants, missing[-1])
    samples_qc(missing, config["genotypes"]["qc"], samples)
    for chrom in cohort.chromosomes:
        pruned.append(results / f"genotypes/pruned/chr{chrom}.parquet")
        ld = {**config["genotypes"]["prune"], "build": build}
        prune(cohort.genotypes, chrom, cohort.variants.format(chrom=chrom), samples, ld, pruned[-1])
    pairs = results / "genotypes/kinship.parquet"
    kinship(cohort.genotypes, cohort.chromosomes, pruned, samples, config["samples"]["max_kinship"], pairs)
    pcs = config["genotypes"]["pcs"]
    principal_components(cohort.genotypes, cohort.chromosomes, pruned, samples, pairs, pcs, seed, cohort.pcs)
    write_cohort(candidates, samples, pairs, config["samples"], seed, cohort.samples)

    tables = {chrom: cohort.variants.format(chrom=chrom) for chrom in cohort.chromosomes}
    write_snps(cohort.genotypes, tables, cohort.samples, config["snps"], cohort.modalities["snps"])
    scores = sorted(folder.glob(config["pgs"]["scores"]))
    matching = results / "modalities/pgs_matching.tsv"
    write_pgs(
        scores, cohort.genotypes, tables, cohort.samples, config["pgs"], build, cohort.modalities["pgs"], matching
    )
    burden = {name: config["burden"][name] for name in config["burden"]}
    annotations, sets = (folder / config["burden"][name] for name in ("annotations", "sets"))
    write_burden(exome, cohort.chromosomes, annotations, sets, cohort.samples, burden, cohort.modalities["burden"])
    write_images(place / "images.tsv", cohort.samples, config["images"], *cohort.images, results / "images/dropped.tsv")
    return cohort


def embedded(
    config: Mapping,
    cohort: Cohort,
    model: str,
    folder: Path,
    folds: Sequence[int] | None = None,
    seed: int | None = None,
) -> list[Path]:
    """Train the networks of `model` (all folds, or some) in `folder` and embed all samples; return one file per fold.

    Existing files are kept, so that an interrupted study resumes.
    """
    chosen = job_settings(config, *TRAINING, model=model)
    recipe = {**chosen["model"], **chosen["samples"], "seed": chosen["seed"], "math_threads": chosen["math_threads"]}
    if seed is not None:
        recipe["seed"] = seed
    modalities = {name: cohort.modalities[name] for name in recipe.get("modalities", [])}
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for fold in range(recipe["folds"]) if folds is None else folds:
        checkpoint = folder / f"model{fold}.ckpt"
        if not checkpoint.exists():
            history = folder / f"history{fold}.csv"
            train(cohort.samples, *cohort.images, modalities, recipe, fold, checkpoint, history, pcs=cohort.pcs)
        paths.append(folder / f"fold{fold}.h5ad")
        if not paths[-1].exists():
            wanted = job_settings(config, "embed", "math_threads", model=model)
            wanted = {**wanted["embed"], "math_threads": wanted["math_threads"]}
            embed(checkpoint, *cohort.images, cohort.samples, wanted, paths[-1])
    return paths


def aligned(config: Mapping, model: str, embeddings: Sequence[Path], folder: Path) -> Path:
    """Write the aligned embeddings of all folds, as the stage align does."""
    genetics = bool(config["models"][model].get("modalities"))
    align(embeddings, folder / "embeddings.h5ad", folder / "alignment.json", genetics=genetics)
    return folder / "embeddings.h5ad"


def of_role(embeddings: Path, role: str, folder: Path) -> Path:
    """Write the embeddings of one network with the samples of one `role` as the tested samples.

    The role `train` gives the in-sample GWAS, which is not calibrated under the null.
    """
    folder.mkdir(parents=True, exist_ok=True)
    align([embeddings], folder / "embeddings.h5ad", folder / "alignment.json", genetics=True)
    data = ad.read_h5ad(folder / "embeddings.h5ad")
    data.obs["gwas_eligible"] = (data.obs["role"] == role).to_numpy()
    data.write_h5ad(folder / "embeddings.h5ad")
    return folder / "embeddings.h5ad"


def tested(
    config: Mapping,
    cohort: Cohort,
    model: str,
    embeddings: Path,
    reference: Path,
    folder: Path,
    covariates: Sequence[str] | None = None,
) -> Gwas:
    """Write the PCs of the embeddings, fitted on the training samples of `reference`, and run their GWAS and loci."""
    phenotypes, design = folder / "phenotypes.parquet", folder / "covariates.parquet"
    chosen = job_settings(config, "phenotypes", "gwas.covariates", model=model)
    wanted = {**chosen["phenotypes"], **chosen["gwas"]}
    if covariates is not None:
        wanted["covariates"] = list(covariates)
    folder.mkdir(parents=True, exist_ok=True)
    files = phenotypes, design, folder / "pca.h5ad"
    write_phenotypes(embeddings, reference, cohort.samples, cohort.covariates, cohort.pcs, wanted, *files)
    return scanned(config, cohort, phenotypes, design, folder)


def external(config: Mapping, cohort: Cohort, model: str, folder: Path) -> Gwas:
    """Run the GWAS of a table of phenotypes, such as the simulated traits."""
    phenotypes, design = folder / "phenotypes.parquet", folder / "covariates.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = job_settings(config, "model", "gwas.covariates", model=model)
    wanted = {**chosen["model"], **chosen["gwas"]}
    table = cohort.folder / config["models"][model]["phenotypes"]
    write_external(table, cohort.samples, cohort.covariates, cohort.pcs, wanted, phenotypes, design)
    return scanned(config, cohort, phenotypes, design, folder)


def scanned(config: Mapping, cohort: Cohort, phenotypes: Path, design: Path, folder: Path) -> Gwas:
    """Run the GWAS of every feature of `phenotypes` and find loci."""
    tables, summaries = {}, []
    for chrom in cohort.chromosomes:
        tables[chrom] = folder / f"chr{chrom}.parquet"
        summaries.append(folder / f"chr{chrom}.summary.parquet")
        variants = cohort.variants.format(chrom=chrom)
        files = tables[chrom], summaries[-1]
        write_gwas(cohort.genotypes, chrom, variants, phenotypes, design, config["gwas"], *files, threads=1)
    loci = folder / "loci.tsv"
    wanted = {**config["loci"], "build": config["genotypes"]["build"]}
    write_loci(tables, cohort.genotypes, cohort.samples, wanted, loci)
    return Gwas(tables, summaries, phenotypes, loci)


def loci_of(gwas: Gwas) -> pd.DataFrame:
    """The table of loci."""
    return read_table(gwas.loci, ["lead_id", "chrom", "pos"])


def shuffled(images: Path, seed: int, output: Path) -> Path:
    """Write the image table with permuted samples, so that images and genotypes are independent.

    All images of a sample are assigned to one other sample, so both eyes stay together.
    """
    table = pd.read_parquet(images)
    samples = table["iid"].unique()
    other = dict(zip(samples, np.random.default_rng([seed, 7]).permutation(samples), strict=True))
    output.parent.mkdir(parents=True, exist_ok=True)
    table.assign(iid=table["iid"].map(other)).to_parquet(output)
    return output
