"""Six latent traits of the eye built from genotypes, and the ground truth about what causes them.

A latent is the sum of strong (planted) SNPs, a polygenic background, one rare-variant gene (two of the latents), a
difference between the populations (pigment) and environment, scaled to unit SD over the cohort.
"""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.simulate.genes import Exome, carriers, causal_rows
from contigwas.simulate.genomes import Chromosome
from contigwas.simulate.settings import BURDEN_LATENTS, LATENTS, PIGMENT, STRIDE, Simulation

log = logging.getLogger(__name__)

SWEEPS = 3  # over the signs of the polygenic SNPs
FAR = 400_000  # base pairs between planted SNPs where the genome allows
NEAR = 100_000  # closer than that, one planted SNP per latent fewer
CANDIDATES = 20  # for each planted SNP; the one with the least linkage beyond NEAR is taken
PLANTED_AF = (0.2, 0.8)
POLYGENIC_AF = (0.05, 0.95)
LEAST_ENVIRONMENT = 0.05  # share of a latent's variance
PLACE = ["chromosome", "row", "latent"]  # where a causal SNP stands among the array's, and what it changes
TRUTH = ["kind", "chrom", "pos", "id", "effect_allele", "other_allele", "af", "latent", "q2", "marginal_q2", "on_grid"]


def choose_causal(
    array: Sequence[Chromosome], population: np.ndarray, settings: Simulation, rng: np.random.Generator
) -> pd.DataFrame:
    """Planted and polygenic SNPs: kind, chromosome (index into `array`), row, latent, effect (per SD of dosage), q2.

    `population` (samples,) is 0 or 1: what counts as linkage is linkage within a population.
    """
    planted = _planted(array, population, settings, rng)
    planted["effect"] = np.sqrt(planted["q2"]) * rng.choice([-1.0, 1.0], len(planted))
    taken = set(zip(planted["chromosome"], planted["row"], strict=True))
    polygenic = _polygenic(array, settings, taken)
    polygenic["effect"] = 0.0
    for _, part in polygenic.groupby("latent"):
        polygenic.loc[part.index, "effect"] = _in_repulsion(array, part, population, rng) * np.sqrt(
            settings.polygenic_h2
        )
    polygenic["q2"] = polygenic["effect"] ** 2
    return pd.concat([planted, polygenic], ignore_index=True)


def _planted(
    array: Sequence[Chromosome], population: np.ndarray, settings: Simulation, rng: np.random.Generator
) -> pd.DataFrame:
    """The genome in as many equal bins as SNPs are planted, one SNP in the middle of each: they are far apart.

    Alternately on and off the grid of every 10th variant. The strand of a causal SNP is never ambiguous, so that no
    polygenic score loses what makes it.
    """
    q2s = settings.planted_q2
    while len(q2s) > 1 and _bin_width(settings, len(q2s)) < NEAR * 1.25:
        q2s = q2s[:-1]
    if len(q2s) < len(settings.planted_q2):
        log.warning(
            "%d chromosomes of %g Mb have room for %d planted SNPs per trait, not the %d of planted_q2",
            settings.chromosomes, settings.megabases, len(q2s), len(settings.planted_q2),
        )  # fmt: skip
    slots = [(latent, order) for latent in range(len(LATENTS)) for order in range(len(q2s))]
    rows = []
    for place, slot in enumerate(rng.permutation(len(slots))):
        latent, order = slots[slot]
        chromosome, bin_number = place % settings.chromosomes, place // settings.chromosomes
        bins = len(range(chromosome, len(slots), settings.chromosomes))
        width = settings.length / bins
        margin = min(FAR, 0.8 * width) / 2
        low, high = bin_number * width + margin, (bin_number + 1) * width - margin
        row = _pick(array[chromosome], population, (low, high), (latent + order) % 2 == 0, rng)
        if row is None:
            log.warning("no common SNP to plant in one of the bins of chromosome %s", array[chromosome].name)
            continue
        rows.append(("planted", chromosome, row, latent, q2s[order]))
    return pd.DataFrame(rows, columns=["kind", *PLACE, "q2"]).astype(dict.fromkeys(PLACE, int))


def _bin_width(settings: Simulation, per_latent: int) -> float:
    return settings.length / -(-per_latent * len(LATENTS) // settings.chromosomes)


def _pick(
    variants: Chromosome,
    population: np.ndarray,
    between: tuple[float, float],
    on_grid: bool,
    rng: np.random.Generator,
) -> int | None:
    af = variants.af
    fits = (variants.pos > between[0]) & (variants.pos < between[1]) & (af >= PLANTED_AF[0]) & (af <= PLANTED_AF[1])
    fits &= ~variants.ambiguous
    wanted = fits & ((np.arange(len(af)) % STRIDE == 0) == on_grid)
    choice = rng.permutation(np.flatnonzero(wanted if wanted.any() else fits))[:CANDIDATES]
    if not len(choice):
        return None
    # strong linkage at a distance would show as further loci that nobody planted
    far = np.abs(variants.pos[None, :] - variants.pos[choice][:, None]) > NEAR
    everyone = _within(variants.counts, population)
    r = everyone[choice] @ everyone.T / len(population)
    return int(choice[np.where(far, r**2, 0).max(axis=1).argmin()])


def _polygenic(array: Sequence[Chromosome], settings: Simulation, taken: set[tuple[int, int]]) -> pd.DataFrame:
    """For each latent, SNPs evenly spread over the genome; those of the next latent stand a sixth of a step further on.

    Set apart, the SNPs of several latents do not add up to a locus that a joint test would find.
    """
    rows = []
    many = settings.polygenic_snps
    genome = settings.length * settings.chromosomes
    for chromosome, variants in enumerate(array):
        af = variants.af
        fits = np.flatnonzero((af >= POLYGENIC_AF[0]) & (af <= POLYGENIC_AF[1]) & ~variants.ambiguous)
        fits = fits[[(chromosome, row) not in taken for row in fits.tolist()]]
        if not len(fits):
            continue
        for latent in range(len(LATENTS)):
            wanted = (np.arange(many) + (latent + 0.5) / len(LATENTS)) * genome / max(many, 1)
            here = wanted[(wanted // settings.length).astype(int) == chromosome] - chromosome * settings.length
            nearest = np.abs(variants.pos[fits][None, :] - here[:, None]).argmin(axis=1)
            chosen = np.unique(fits[nearest])
            rows += [("polygenic", chromosome, int(row), latent) for row in chosen]
    if len(rows) < many * len(LATENTS):
        log.warning("%d polygenic SNPs in all, not %d: the genome is small", len(rows), many * len(LATENTS))
    return pd.DataFrame(rows, columns=["kind", *PLACE]).astype(dict.fromkeys(PLACE, int))


def _in_repulsion(
    array: Sequence[Chromosome], snps: pd.DataFrame, population: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Equal effects (snps,) per SD of dosage that explain a variance of 1, signs random but against linkage.

    In random order, and three times over, each SNP takes the sign that works against those in linkage with it, as
    stabilising selection arranges them (Bulmer 1971). On a genome this small, free signs would add up to strong loci
    that nobody planted: about 25 instead of 4 in the joint test of the six latents, in 4,000 samples.
    """
    order = rng.permutation(len(snps))
    random = rng.choice([-1.0, 1.0], len(snps))
    dosage = np.concatenate([array[chromosome].counts[part["row"]] for chromosome, part in snps.groupby("chromosome")])
    within = _within(dosage, population)
    linkage = (within @ within.T / len(population)).astype(np.float64)
    np.fill_diagonal(linkage, 0)
    signs = np.zeros(len(snps))
    for one in np.tile(order, SWEEPS):
        pull = linkage[one] @ signs
        signs[one] = -np.sign(pull) if abs(pull) > 1e-9 else random[one]
    return signs / (signs @ standardised(dosage)).std()


def _within(counts: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Dosages (variants, samples) with each population's mean taken off, to unit SD, float32."""
    dosage = counts.astype(np.float32)
    for one in np.unique(population):
        dosage[:, population == one] -= dosage[:, population == one].mean(axis=1, keepdims=True)
    sd = dosage.std(axis=1, keepdims=True)
    return dosage / np.where(sd > 0, sd, 1)


def genetic_values(array: Sequence[Chromosome], causal: pd.DataFrame) -> np.ndarray:
    """Sum of effect times standardised dosage for each latent, (samples, 6) float64."""
    values = np.zeros((array[0].counts.shape[1], len(LATENTS)))
    for chromosome, part in causal.groupby("chromosome"):
        rows, where = np.unique(part["row"], return_inverse=True)
        effects = np.zeros((len(rows), len(LATENTS)))
        np.add.at(effects, (where, part["latent"].to_numpy()), part["effect"].to_numpy())
        values += standardised(array[chromosome].counts[rows]).T @ effects
    return values


def standardised(counts: np.ndarray) -> np.ndarray:
    """Dosages (variants, samples) to mean 0 and SD 1 over samples, float64; a constant row becomes 0."""
    dosage = counts.astype(np.float64)
    dosage -= dosage.mean(axis=1, keepdims=True)
    sd = dosage.std(axis=1, keepdims=True)
    return dosage / np.where(sd > 0, sd, 1)


def choose_genes(exomes: Sequence[Exome], settings: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """One gene for each of two latents, among the quarter with most carriers: exome, gene (indices), latent, effect."""
    every = [(e, g, carriers(gene, exome.variants).sum())
             for e, exome in enumerate(exomes) for g, gene in enumerate(exome.genes)]  # fmt: skip
    every = sorted((one for one in every if one[2] > 0), key=lambda one: -one[2])
    pool = every[: max(len(every) // 4, len(BURDEN_LATENTS))]
    if settings.burden_q2 == 0 or not pool:
        log.warning("no rare-variant gene changes a trait: burden_q2 is 0 or no gene has a carrier")
        pool = []
    picks = rng.permutation(len(pool))[: len(BURDEN_LATENTS)]
    rows = [
        (*pool[pick][:2], LATENTS.index(latent), np.sqrt(settings.burden_q2) * rng.choice([-1.0, 1.0]))
        for latent, pick in zip(BURDEN_LATENTS, picks, strict=False)
    ]
    return pd.DataFrame(rows, columns=["exome", "gene", "latent", "effect"])


def make_latents(
    genetic: np.ndarray,
    exomes: Sequence[Exome],
    genes: pd.DataFrame,
    population: np.ndarray,
    settings: Simulation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Genetic values (samples, 6) with genes, the populations' shift and environment added; unit SD, (samples, 6)."""
    values = genetic.copy()
    for one in genes.itertuples():
        exome = exomes[one.exome]
        values[:, one.latent] += one.effect * standardised(carriers(exome.genes[one.gene], exome.variants)[None])[0]
    values[:, PIGMENT] += settings.ancestry_shift * population
    rest = np.maximum(1 - values.var(axis=0), LEAST_ENVIRONMENT)
    values += rng.standard_normal(values.shape) * np.sqrt(rest)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def truth_table(
    array: Sequence[Chromosome],
    causal: pd.DataFrame,
    exomes: Sequence[Exome],
    genes: pd.DataFrame,
    genetic: np.ndarray,
    population: np.ndarray,
) -> pd.DataFrame:
    """What causes the latents, one row a cause.

    `q2` is the share of the latent's variance by design; `marginal_q2` what the SNP alone explains of it within
    populations, through the causal SNPs that it is linked with as well: what a GWAS of the latent itself can see.
    """
    rows = []
    frequencies = [variants.af for variants in array]
    values = np.concatenate([genetic[population == one] - genetic[population == one].mean(axis=0) for one in (0, 1)])
    order = np.concatenate([np.flatnonzero(population == one) for one in (0, 1)])
    for one in causal.sort_values(["kind", "chromosome", "row", "latent"], kind="stable").itertuples():
        snp = array[one.chromosome].take(np.array([one.row]))
        # the effect allele is the alternate one, whichever way it pushes
        named = (one.kind, snp.name, snp.pos[0], snp.ids[0], snp.alt[0], snp.ref[0])
        af, on_grid = frequencies[one.chromosome][one.row], int(one.row % STRIDE == 0)
        dosage = _within(snp.counts, population)[0, order]
        marginal = float(dosage @ values[:, one.latent] / len(population)) ** 2
        rows.append((*named, af, LATENTS[one.latent], one.q2, marginal, on_grid))
    for one in genes.itertuples():
        gene, variants = exomes[one.exome].genes[one.gene], exomes[one.exome].variants
        af = variants.af[causal_rows(gene, variants)].sum()
        q2 = one.effect**2
        rows.append(("gene", gene.chrom, gene.start, gene.name, "NA", "NA", af, LATENTS[one.latent], q2, q2, 0))
    table = pd.DataFrame(rows, columns=TRUTH)
    return table.round({"af": 6, "q2": 8, "marginal_q2": 8})
