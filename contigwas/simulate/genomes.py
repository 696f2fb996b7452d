"""Genotypes of a cohort by coalescent simulation, with relatives made by gene dropping.

Two populations of 10,000 that split 600 generations ago (Fst about 0.027), recombination 1e-8 and mutation 1.25e-8 a
base and generation; HKY mutations give the transition excess of real genomes, so that one SNP in six is
strand-ambiguous. Coalescent: Baumdicker et al. 2022 (msprime 1.0).
"""

import logging
from dataclasses import dataclass

import numpy as np

from contigwas.errors import UserError
from contigwas.simulate.settings import POPULATION_SHARE, Simulation

log = logging.getLogger(__name__)

NE = 10_000
SPLIT = 600  # generations ago
RECOMBINATION = 1e-8
MUTATION = 1.25e-8
KAPPA = 4.0  # HKY: twice as many transitions as transversions
CROSSOVERS = 1.5  # per meiosis and chromosome in the pedigree. A whole chromosome's worth, although these are short:
# with RECOMBINATION alone siblings would share whole chromosomes and their kinship would scatter from 0 to 0.5


@dataclass(frozen=True)
class Pedigree:
    """Who of the simulated founders is in the cohort, and which children are made of which founders.

    `founders` (f,) are rows of the simulated diploids, `parents` (c, 2) too; the cohort is founders, then children,
    put in the order `order` (samples,). `population` (samples,) is 0 or 1, in cohort order.
    """

    founders: np.ndarray
    parents: np.ndarray
    order: np.ndarray
    population: np.ndarray


@dataclass(frozen=True)
class Chromosome:
    """Biallelic variants of one chromosome: 1-based `pos`, bases, alternate-allele counts (variants, samples) int8."""

    name: str
    pos: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    counts: np.ndarray

    @property
    def ids(self) -> np.ndarray:
        """chrom:pos:ref:alt."""
        bases = zip(self.pos.tolist(), self.ref.tolist(), self.alt.tolist(), strict=True)
        return np.array([f"{self.name}:{pos}:{ref}:{alt}" for pos, ref, alt in bases], dtype=object)

    @property
    def af(self) -> np.ndarray:
        """Frequency of the alternate allele, (variants,)."""
        return self.counts.sum(axis=1, dtype=np.int64) / (2 * self.counts.shape[1])

    @property
    def ambiguous(self) -> np.ndarray:
        """A/T and C/G variants, whose strand the alleles do not tell, (variants,) bool."""
        pairs = np.char.add(self.ref.astype(str), self.alt.astype(str))
        return np.isin(pairs, ["AT", "TA", "CG", "GC"])

    def take(self, rows: np.ndarray) -> "Chromosome":
        """The variants of `rows` only."""
        return Chromosome(self.name, self.pos[rows], self.ref[rows], self.alt[rows], self.counts[rows])


def populations(settings: Simulation) -> tuple[int, int]:
    """How many founders are simulated in each population."""
    larger = round(POPULATION_SHARE * settings.n_samples)
    return larger, settings.n_samples - larger


def draw_pedigree(settings: Simulation, rng: np.random.Generator) -> Pedigree:
    """Half of the pairs are a founder of the cohort and a child, half are full siblings whose parents are outside.

    As many diploids as samples are simulated: every child takes the place of one founder who only serves as a parent.
    """
    sizes = populations(settings)
    of_parent_child = settings.related_pairs - settings.related_pairs // 2
    of_siblings = settings.related_pairs // 2
    free = [list(rng.permutation(sizes[0])), list(sizes[0] + rng.permutation(sizes[1]))]
    parents: list[tuple[int, int]] = []
    outside: list[int] = []
    for pair in range(settings.related_pairs):
        # both parents are of one population, which is drawn by size among those that still have two samples left
        weights = np.array([size if len(left) >= 2 else 0 for size, left in zip(sizes, free, strict=True)], float)
        left = free[rng.choice(2, p=weights / weights.sum())]
        mother, father = left.pop(), left.pop()
        outside.append(father)
        parents.append((mother, father))
        if pair >= of_parent_child:
            outside.append(mother)
            parents.append((mother, father))
    founders = np.setdiff1d(np.arange(settings.n_samples), outside)
    couples = np.array(parents, dtype=np.int64).reshape(-1, 2)
    order = rng.permutation(settings.n_samples)
    population = (np.concatenate([founders, couples[:, 0]]) >= sizes[0]).astype(np.int8)[order]
    log.info(
        "pedigree: %d samples of %d and %d founders' populations, %d parent-child and %d sibling pairs",
        settings.n_samples, *sizes, of_parent_child, of_siblings,
    )  # fmt: skip
    return Pedigree(founders, couples, order, population)


def simulate_chromosome(name: str, settings: Simulation, pedigree: Pedigree, rng: np.random.Generator) -> Chromosome:
    """Every variant of one chromosome that varies among the samples of the cohort, by position.

    Sites hit by more than one mutation and variants that nobody of the cohort carries (or that everybody does) are
    left out and counted in the log.
    """
    try:
        import msprime  # an extra, needed by the demo only
    except ModuleNotFoundError:
        raise UserError(
            "config: simulate needs the package msprime, which is not installed: pip install 'contigwas[demo]'"
        ) from None

    demography = msprime.Demography()
    for population in ("first", "second", "ancestral"):
        demography.add_population(name=population, initial_size=NE)
    demography.add_population_split(time=SPLIT, derived=["first", "second"], ancestral="ancestral")
    seeds = rng.integers(1, 2**31, size=2)
    sizes = populations(settings)
    trees = msprime.sim_ancestry(
        dict(zip(("first", "second"), sizes, strict=True)),
        demography=demography,
        sequence_length=settings.length,
        recombination_rate=RECOMBINATION,
        random_seed=int(seeds[0]),
    )
    trees = msprime.sim_mutations(trees, rate=MUTATION, model=msprime.HKY(kappa=KAPPA), random_seed=int(seeds[1]))
    hit_once = np.bincount(trees.mutations_site, minlength=trees.num_sites) == 1
    gametes = _gametes(trees.sites_position, pedigree, settings.length, rng)
    counts = np.empty((int(hit_once.sum()), settings.n_samples), dtype=np.int8)
    row = 0
    for variant in trees.variants(copy=False):
        if not hit_once[variant.site.id]:
            continue
        alleles = variant.genotypes
        pairs = alleles[0::2] + alleles[1::2]
        children = alleles[gametes[0][variant.site.id]] + alleles[gametes[1][variant.site.id]]
        counts[row] = np.concatenate([pairs[pedigree.founders], children])[pedigree.order]
        row += 1
    derived = np.empty(trees.num_sites, dtype="U1")
    derived[trees.mutations_site] = trees.mutations_derived_state
    total = counts.sum(axis=1, dtype=np.int64)
    varies = (total > 0) & (total < 2 * settings.n_samples)
    log.info(
        "chromosome %s: %d variants; left out: %d sites with several mutations, %d that do not vary in the cohort",
        name, int(varies.sum()), int((~hit_once).sum()), int((~varies).sum()),
    )  # fmt: skip
    position = trees.sites_position[hit_once].astype(np.int64) + 1
    ancestral = trees.sites_ancestral_state[hit_once].astype("U1")
    return Chromosome(name, position, ancestral, derived[hit_once], counts).take(np.flatnonzero(varies))


def _gametes(
    position: np.ndarray, pedigree: Pedigree, length: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which simulated haplotype each child has of its mother and of its father at each site: two (sites, children)."""
    result = []
    for parent in pedigree.parents.T:
        haplotypes = np.empty((len(position), len(parent)), dtype=np.int64)
        for child, sample in enumerate(parent):
            crossovers = np.sort(rng.uniform(0, length, rng.poisson(CROSSOVERS)))
            phase = (np.searchsorted(crossovers, position) + rng.integers(2)) % 2
            haplotypes[:, child] = 2 * sample + phase
        result.append(haplotypes)
    return result[0], result[1]
