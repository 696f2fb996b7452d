"""Write the files of a simulated cohort: genotypes, exome, scores, covariates, and the ground truth."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from bed_reader import to_bed
from tqdm import tqdm

from contigwas.runtime.atomic_files import PathLike, replacing, write_tsv
from contigwas.simulate.genes import Exome, make_exome, write_annotations, write_sets
from contigwas.simulate.genomes import Chromosome, draw_pedigree, simulate_chromosome
from contigwas.simulate.scores import write_scores
from contigwas.simulate.settings import LATENTS, Simulation
from contigwas.simulate.traits import choose_causal, choose_genes, genetic_values, ground_truth_table, make_latents
from contigwas.tables.anndata_io import MISSING

log = logging.getLogger(__name__)

COMMON = 0.01  # minimum minor-allele frequency of array variants
FIRST_IID = 1_000_001
# one stream of random numbers per purpose, so that settings of one purpose do not change the others
PEDIGREE, GENOMES, EXOME, CAUSAL, ENVIRONMENT, SCORES, SAMPLES, MISSINGNESS = range(8)


def simulate_cohort(folder: PathLike, settings: Mapping, build: str, seed: int) -> None:
    """Simulate a cohort with known ground truth, and write its files into `folder`, except images (see docs/inputs.md).

    `settings` is the config block `simulate` with defaults. The same settings and seed give identical files. The cohort
    is kept in memory as int8: samples x variants bytes. Raises UserError for inconsistent settings.
    """
    folder = Path(folder)
    plan = Simulation.of(settings)

    def stream(purpose: int, *parts: int) -> np.random.Generator:
        return np.random.default_rng([seed, purpose, *parts])

    pedigree = draw_pedigree(plan, stream(PEDIGREE))
    array_chromosomes: list[Chromosome] = []
    exomes: list[Exome] = []
    for number in tqdm(range(1, plan.chromosomes + 1), desc="simulate", unit="chromosome", disable=None):
        variants = simulate_chromosome(str(number), plan, pedigree, stream(GENOMES, number))
        af = variants.af
        array_chromosomes.append(variants.take(np.flatnonzero((af >= COMMON) & (af <= 1 - COMMON))))
        genes = sum(len(exome.genes) for exome in exomes)
        rare = variants.take(np.flatnonzero(af < COMMON))
        exomes.append(make_exome(rare, plan.length, genes + 1, stream(EXOME, number)))
    rng = stream(CAUSAL)
    causal = choose_causal(array_chromosomes, pedigree.population, plan, rng)
    genes = choose_genes(exomes, plan, rng)
    genetic = genetic_values(array_chromosomes, causal)
    latents = make_latents(genetic, exomes, genes, pedigree.population, plan, stream(ENVIRONMENT))
    samples = _samples(plan, stream(SAMPLES, 0))

    _write_genotypes(
        folder / "genotypes", array_chromosomes, samples, np.arange(plan.n_samples), plan, stream(MISSINGNESS, 0)
    )
    has_exome = stream(SAMPLES, 1).permutation(plan.n_samples)[round(plan.missing_rate * plan.n_samples) :]
    _write_genotypes(
        folder / "exome", [exome.variants for exome in exomes], samples, has_exome, plan, stream(MISSINGNESS, 1)
    )
    write_annotations(exomes, folder / "exome" / "annotations.tsv")
    write_sets(exomes, folder / "exome" / "sets.tsv")
    write_scores(folder / "pgs", array_chromosomes, causal, latents, plan, build, stream(SCORES))
    _write_covariates(folder / "covariates.tsv", samples, plan, stream(SAMPLES, 2))
    table = samples[["fid", "iid"]].join(pd.DataFrame(latents, columns=list(LATENTS)).round(6))
    write_tsv(table, folder / "latents.tsv")
    ground_truth = ground_truth_table(array_chromosomes, causal, exomes, genes, genetic, pedigree.population)
    write_tsv(ground_truth, folder / "truth.tsv")
    log.info(
        "cohort: %d samples (%d with exome calls), %d array and %d exome variants, %d planted SNPs, %d causal genes",
        plan.n_samples, len(has_exome), sum(len(chromosome.pos) for chromosome in array_chromosomes),
        sum(len(exome.variants.pos) for exome in exomes), int((causal["kind"] == "planted").sum()), len(genes),
    )  # fmt: skip


def _samples(plan: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """Draw fid, iid and sex (1 male, 2 female) of the samples, in the order of the genotypes."""
    iids = [str(FIRST_IID + number) for number in range(plan.n_samples)]
    return pd.DataFrame({"fid": iids, "iid": iids, "sex": rng.integers(1, 3, plan.n_samples)})


def _write_covariates(path: Path, samples: pd.DataFrame, plan: Simulation, rng: np.random.Generator) -> None:
    """Write iid, sex and age (40 to 69 years) in random order, without a share `missing_rate` of the samples."""
    table = samples[["iid", "sex"]].assign(age=rng.integers(40, 70, plan.n_samples))
    kept = rng.permutation(plan.n_samples)[round(plan.missing_rate * plan.n_samples) :]
    write_tsv(table.iloc[kept], path)


def _write_genotypes(
    folder: Path,
    chromosomes: Sequence[Chromosome],
    samples: pd.DataFrame,
    rows: np.ndarray,
    plan: Simulation,
    rng: np.random.Generator,
) -> None:
    """Write one PLINK file set per chromosome with the samples `rows`, in that order, and with random missing calls."""
    chosen_samples = samples.iloc[rows]
    for variants in chromosomes:
        counts = np.ascontiguousarray(variants.counts[:, rows])
        missing = rng.integers(0, max(counts.size, 1), rng.binomial(counts.size, plan.missing_calls))
        counts.reshape(-1)[missing] = MISSING
        write_bed(folder / f"chr{variants.name}.bed", counts.T, variants, chosen_samples)


def write_bed(path: Path, counts: np.ndarray, variants: Chromosome, samples: pd.DataFrame) -> None:
    """Write alternate-allele counts (samples, variants), int8, -127 where missing, as .bed, .bim and .fam.

    Column 5 of the .bim (A1, the counted allele) is the alternate allele. The .bed is moved into place last.
    """
    properties = {
        "fid": samples["fid"].tolist(),
        "iid": samples["iid"].tolist(),
        "sex": samples["sex"].tolist(),
        "chromosome": [variants.name] * len(variants.pos),
        "sid": variants.ids.tolist(),
        "bp_position": variants.pos.tolist(),
        "allele_1": variants.alt.tolist(),
        "allele_2": variants.ref.tolist(),
    }
    with replacing(path) as bed, replacing(path.with_suffix(".bim")) as bim, replacing(path.with_suffix(".fam")) as fam:
        to_bed(bed, counts, properties=properties, fam_filepath=fam, bim_filepath=bim, num_threads=1)
