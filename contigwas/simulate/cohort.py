"""The demo cohort as files: genotypes, exome, scores, covariates, and the ground truth."""

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
from contigwas.simulate.traits import choose_causal, choose_genes, genetic_values, make_latents, truth_table
from contigwas.tables.anndata_io import MISSING

log = logging.getLogger(__name__)

COMMON = 0.01  # minor-allele frequency from which a variant is on the array
FIRST_IID = 1_000_001
# one stream of random numbers for each purpose, so that a setting of one leaves the others as they were
PEDIGREE, GENOMES, EXOME, CAUSAL, ENVIRONMENT, SCORES, SAMPLES, MISSINGNESS = range(8)


def simulate_cohort(folder: PathLike, settings: Mapping, build: str, seed: int) -> None:
    """Write a cohort with the ground truth known into `folder` (files as in docs/files.md, images aside).

    `settings` is the config block `simulate` with defaults filled in. The same settings and seed give the same bytes.
    The whole cohort is held in memory as int8: samples x variants bytes. Raises UserError for settings that contradict
    each other.
    """
    folder = Path(folder)
    plan = Simulation.of(settings)

    def stream(purpose: int, *more: int) -> np.random.Generator:
        return np.random.default_rng([seed, purpose, *more])

    pedigree = draw_pedigree(plan, stream(PEDIGREE))
    array: list[Chromosome] = []
    exomes: list[Exome] = []
    for number in tqdm(range(1, plan.chromosomes + 1), desc="simulate", unit="chromosome", disable=None):
        everything = simulate_chromosome(str(number), plan, pedigree, stream(GENOMES, number))
        af = everything.af
        array.append(everything.take(np.flatnonzero((af >= COMMON) & (af <= 1 - COMMON))))
        genes = sum(len(exome.genes) for exome in exomes)
        rare = everything.take(np.flatnonzero(af < COMMON))
        exomes.append(make_exome(rare, plan.length, genes + 1, stream(EXOME, number)))
    rng = stream(CAUSAL)
    causal = choose_causal(array, pedigree.population, plan, rng)
    genes = choose_genes(exomes, plan, rng)
    genetic = genetic_values(array, causal)
    latents = make_latents(genetic, exomes, genes, pedigree.population, plan, stream(ENVIRONMENT))
    samples = _samples(plan, stream(SAMPLES, 0))

    _write_genotypes(folder / "genotypes", array, samples, np.arange(plan.n_samples), plan, stream(MISSINGNESS, 0))
    has_exome = stream(SAMPLES, 1).permutation(plan.n_samples)[round(plan.missing_rate * plan.n_samples) :]
    _write_genotypes(
        folder / "exome", [exome.variants for exome in exomes], samples, has_exome, plan, stream(MISSINGNESS, 1)
    )
    write_annotations(exomes, folder / "exome" / "annotations.tsv")
    write_sets(exomes, folder / "exome" / "sets.tsv")
    write_scores(folder / "pgs", array, causal, latents, plan, build, stream(SCORES))
    _write_covariates(folder / "covariates.tsv", samples, plan, stream(SAMPLES, 2))
    table = samples[["fid", "iid"]].join(pd.DataFrame(latents, columns=list(LATENTS)).round(6))
    write_tsv(table, folder / "latents.tsv")
    truth = truth_table(array, causal, exomes, genes, genetic, pedigree.population)
    write_tsv(truth, folder / "truth.tsv")
    log.info(
        "cohort: %d samples (%d with exome calls), %d array and %d exome variants, %d planted SNPs, %d causal genes",
        plan.n_samples, len(has_exome), sum(len(one.pos) for one in array),
        sum(len(one.variants.pos) for one in exomes), int((causal["kind"] == "planted").sum()), len(genes),
    )  # fmt: skip


def _samples(plan: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """fid, iid and sex (1 male, 2 female) of the cohort in the order of the genotypes."""
    iids = [str(FIRST_IID + number) for number in range(plan.n_samples)]
    return pd.DataFrame({"fid": iids, "iid": iids, "sex": rng.integers(1, 3, plan.n_samples)})


def _write_covariates(path: Path, samples: pd.DataFrame, plan: Simulation, rng: np.random.Generator) -> None:
    """iid, sex and age (40 to 69 years), without the share of samples that lack them, in an order of its own."""
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
    """One PLINK file set a chromosome with the samples of `rows`, in that order, and calls missing at random."""
    chosen = samples.iloc[rows]
    for variants in chromosomes:
        counts = np.ascontiguousarray(variants.counts[:, rows])
        missing = rng.integers(0, max(counts.size, 1), rng.binomial(counts.size, plan.missing_calls))
        counts.reshape(-1)[missing] = MISSING
        write_bed(folder / f"chr{variants.name}.bed", counts.T, variants, chosen)


def write_bed(path: Path, counts: np.ndarray, variants: Chromosome, samples: pd.DataFrame) -> None:
    """Write alternate-allele counts (samples, variants) int8, -127 not called, as .bed, .bim and .fam.

    .bim column 5 (A1, the allele counted) is the alternate allele. The .bed comes last: where it is, all are.
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
