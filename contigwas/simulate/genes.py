"""Genes as intervals along the chromosomes, the rare variants in their exons, and REGENIE's two text files of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.simulate.genomes import Chromosome

log = logging.getLogger(__name__)

SPACING = 100_000  # base pairs from one gene to the next
GENE_LENGTH = (20_000, 60_000)
EXON_LENGTH = 1_500
EXON_SHARE = 0.3  # of a gene
CATEGORIES = ("LoF", "missense", "synonymous")
CATEGORY_SHARES = (0.1, 0.55, 0.35)
DAMAGING = (0, 1)  # categories that change a trait
MAX_CAUSAL_AF = 0.001


@dataclass(frozen=True)
class Gene:
    """A gene's name, chromosome and start, and its exonic rare variants: rows of `Exome.variants`, their categories."""

    name: str
    chrom: str
    start: int
    rows: np.ndarray
    categories: np.ndarray


@dataclass(frozen=True)
class Exome:
    """The exonic rare variants of one chromosome, by position, and the genes that hold them."""

    variants: Chromosome
    genes: tuple[Gene, ...]


def make_exome(rare: Chromosome, length: int, first: int, rng: np.random.Generator) -> Exome:
    """Lay genes along a chromosome of `length` base pairs and keep the rare variants that fall into their exons.

    Genes are numbered from `first`, so that names are unique over chromosomes. Genes without a variant are left out.
    """
    exonic: list[np.ndarray] = []
    genes: list[Gene] = []
    kept = 0
    for number, slot in enumerate(range(0, max(length - SPACING, 0) + 1, SPACING)):
        size = min(int(rng.integers(*GENE_LENGTH)), length)
        start = slot + int(rng.integers(0, max(min(SPACING, length) - size, 1)))
        bins = np.arange(start, start + size, EXON_LENGTH)
        exons = np.sort(rng.choice(bins, max(round(EXON_SHARE * len(bins)), 1), replace=False))
        inside = np.zeros(len(rare.pos), dtype=bool)
        for exon in exons:
            inside[np.searchsorted(rare.pos, exon) : np.searchsorted(rare.pos, exon + EXON_LENGTH)] = True
        rows = np.flatnonzero(inside)
        if not len(rows):
            continue
        categories = rng.choice(len(CATEGORIES), len(rows), p=CATEGORY_SHARES).astype(np.int8)
        genes.append(
            Gene(f"SIMG{first + number:04d}", rare.name, start + 1, np.arange(kept, kept + len(rows)), categories)
        )
        exonic.append(rows)
        kept += len(rows)
    rows = np.concatenate(exonic) if exonic else np.zeros(0, dtype=np.int64)
    log.info("chromosome %s: %d of %d rare variants stand in exons of %d genes",
             rare.name, len(rows), len(rare.pos), len(genes))  # fmt: skip
    return Exome(rare.take(rows), tuple(genes))


def causal_rows(gene: Gene, variants: Chromosome) -> np.ndarray:
    """The gene's LoF and missense variants of frequency at most 0.001 (or carried once, in a small cohort)."""
    af = variants.af[gene.rows]
    most = max(MAX_CAUSAL_AF, 0.5 / variants.counts.shape[1])
    return gene.rows[np.isin(gene.categories, DAMAGING) & (af <= most)]


def carriers(gene: Gene, variants: Chromosome) -> np.ndarray:
    """Who carries a causal allele of the gene, (samples,) bool."""
    return variants.counts[causal_rows(gene, variants)].any(axis=0)


def write_annotations(exomes: Sequence[Exome], path: PathLike) -> None:
    """One line `variant gene category` per exonic variant, as REGENIE's --anno-file."""
    with replacing(path) as temporary, temporary.open("w") as handle:
        for exome in exomes:
            ids = exome.variants.ids
            for gene in exome.genes:
                for row, category in zip(gene.rows, gene.categories, strict=True):
                    handle.write(f"{ids[row]} {gene.name} {CATEGORIES[category]}\n")


def write_sets(exomes: Sequence[Exome], path: PathLike) -> None:
    """One line `gene chrom pos v1,v2,…` per gene, as REGENIE's --set-list."""
    with replacing(path) as temporary, temporary.open("w") as handle:
        for exome in exomes:
            ids = exome.variants.ids
            for gene in exome.genes:
                handle.write(f"{gene.name} {gene.chrom} {gene.start} {','.join(ids[gene.rows])}\n")
