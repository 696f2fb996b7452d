"""Simulate the genotypes of a cohort: coalescent simulation for founders, gene dropping for their children.

Two populations of effective size 10,000 split 600 generations ago (Fst about 0.027). Recombination is 1e-8 and mutation
1.25e-8 per base and generation. The HKY model gives the excess of transitions of real genomes, so that one SNP in six
is strand-ambiguous. Coalescent: Baumdicker et al. 2022 (msprime 1.0).
"""

import logging
from dataclasses import dataclass

import numpy as np

from contigwas.runtime.errors import UserError
from contigwas.simulate.settings import POPULATION_SHARE, Simulation

log = logging.getLogger(__name__)

NE = 10_000
SPLIT = 600  # generations ago
RECOMBINATION = 1e-8
MUTATION = 1.25e-8
KAPPA = 4.0  # HKY: twice as many transitions as transversions
# Per meiosis and chromosome in the pedigree, as for a full-length chromosome. With RECOMBINATION, siblings would share
# whole (short) chromosomes, and their kinship would range from 0 to 0.5.
CROSSOVERS = 1.5


@dataclass(frozen=True)
class Pedigree:
    """The founders in the cohort, and the parents of the children.

    Attributes:
        founders: rows of the simulated diploids, (founders,).
        parents: rows of the simulated diploids, (children, 2).
        order: permutation of founders followed by children to the cohort's order, (samples,).
        population: 0 or 1, (samples,), in the cohort's order.
    """

    founders: np.ndarray
    parents: np.ndarray
    order: np.ndarray
    population: np.ndarray


@dataclass(frozen=True)
class Chromosome:
    """Biallelic variants of one chromosome: 1-based `pos`, alleles, and allele counts (variants, samples), int8."""

    name: str
    pos: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    counts: np.ndarray

    @property
    def ids(self) -> np.ndarray:
        """Variant IDs, chrom:pos:ref:alt."""
        bases = zip(self.pos.tolist(), self.ref.tolist(), self.alt.tolist(), strict=True)
        return np.array([f"{self.name}:{pos}:{ref}:{alt}" for pos, ref, alt in bases], dtype=object)

    @property
    def af(self) -> np.ndarray:
        """Alternate-allele frequency, float64 (variants,)."""
        return self.counts.sum(axis=1, dtype=np.int64) / (2 * self.counts.shape[1])

    @property
    def ambiguous(self) -> np.ndarray:
        """Whether a variant is strand-ambiguous (A/T or C/G): bool (variants,)."""
        pairs = np.char.add(self.ref.astype(str), self.alt.astype(str))
        return np.isin(pairs, ["AT", "TA", "CG", "GC"])

    def take(self, rows: np.ndarray) -> "Chromosome":
        """Return the variants `rows`."""
        return Chromosome(self.name, self.pos[rows], self.ref[rows], self.alt[rows], self.counts[rows])


def populations(settings: Simulation) -> tuple[int, int]:
    """Return the number of founders in each population."""
    larger = round(POPULATION_SHARE * settings.n_samples)
    return larger, settings.n_samples - larger


def draw_pedigree(settings: Simulation, rng: np.random.Generator) -> Pedigree:
    """Draw a pedigree: half of the pairs are parent and child, half are full siblings with parents outside the cohort.

    The number of simulated diploids is that of samples. Each child replaces one founder that is only a parent.
    """
    sizes = populations(settings)
    parent_child_pairs = settings.related_pairs - settings.related_pairs // 2
    sibling_pairs = settings.related_pairs // 2
    unused = [list(rng.permutation(sizes[0])), list(sizes[0] + rng.permutation(sizes[1]))]
    parents: list[tuple[int, int]] = []
    outside: list[int] = []
    for pair in range(settings.related_pairs):
        # both parents are from one population, drawn by size among those with at least two founders left
        weights = np.array(
            [size if len(candidates) >= 2 else 0 for size, candidates in zip(sizes, unused, strict=True)], float
        )
        candidates = unused[rng.choice(2, p=weights / weights.sum())]
        mother, father = candidates.pop(), candidates.pop()
        outside.append(father)
        parents.append((mother, father))
        if pair >= parent_child_pairs:
            outside.append(mother)
            parents.append((mother, father))
    founders = np.setdiff1d(np.arange(settings.n_samples), outside)
    couples = np.array(parents, dtype=np.int64).reshape(-1, 2)
    order = rng.permutation(settings.n_samples)
    population = (np.concatenate([founders, couples[:, 0]]) >= sizes[0]).astype(np.int8)[order]
    log.info(
        "pedigree: %d samples from populations of %d and %d founders, %d parent-child and %d sibling pairs",
        settings.n_samples, *sizes, parent_child_pairs, sibling_pairs,
    )  # fmt: skip
    return Pedigree(founders, couples, order, population)


def simulate_chromosome(name: str, settings: Simulation, pedigree: Pedigree, rng: np.random.Generator) -> Chromosome:
    """Simulate the variants of one chromosome that are polymorphic in the cohort, sorted by position.

    Sites with more than one mutation and monomorphic variants are removed, and their numbers are logged.
    """
    try:
        import msprime  # an optional dependency that only the simulation needs
    except ModuleNotFoundError:
        raise UserError(
            "config: simulate needs the package msprime, which is not installed. "
            "Install it: pip install 'contigwas[demo]'"
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
    is_single_mutation = np.bincount(trees.mutations_site, minlength=trees.num_sites) == 1
    gametes = _gametes(trees.sites_position, pedigree, settings.length, rng)
    counts = np.empty((int(is_single_mutation.sum()), settings.n_samples), dtype=np.int8)
    row = 0
    for variant in trees.variants(copy=False):
        if not is_single_mutation[variant.site.id]:
            continue
        alleles = variant.genotypes
        pairs = alleles[0::2] + alleles[1::2]
        children = alleles[gametes[0][variant.site.id]] + alleles[gametes[1][variant.site.id]]
        counts[row] = np.concatenate([pairs[pedigree.founders], children])[pedigree.order]
        row += 1
    derived = np.empty(trees.num_sites, dtype="U1")
    derived[trees.mutations_site] = trees.mutations_derived_state
    total = counts.sum(axis=1, dtype=np.int64)
    is_polymorphic = (total > 0) & (total < 2 * settings.n_samples)
    log.info(
        "chromosome %s: %d variants; removed: %d sites with several mutations, %d monomorphic variants",
        name, int(is_polymorphic.sum()), int((~is_single_mutation).sum()), int((~is_polymorphic).sum()),
    )  # fmt: skip
    position = trees.sites_position[is_single_mutation].astype(np.int64) + 1
    ancestral = trees.sites_ancestral_state[is_single_mutation].astype("U1")
    return Chromosome(name, position, ancestral, derived[is_single_mutation], counts).take(
        np.flatnonzero(is_polymorphic)
    )


def _gametes(
    position: np.ndarray, pedigree: Pedigree, length: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the parental haplotypes that each child inherits at each site: two arrays (sites, children)."""
    result = []
    for parent in pedigree.parents.T:
        haplotypes = np.empty((len(position), len(parent)), dtype=np.int64)
        for child, sample in enumerate(parent):
            crossovers = np.sort(rng.uniform(0, length, rng.poisson(CROSSOVERS)))
            phase = (np.searchsorted(crossovers, position) + rng.integers(2)) % 2
            haplotypes[:, child] = 2 * sample + phase
        result.append(haplotypes)
    return result[0], result[1]
