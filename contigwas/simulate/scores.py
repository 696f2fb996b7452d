"""Write polygenic scores of simulated and of unrelated traits as PGS Catalog scoring files (format 2.0)."""

import gzip
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import replacing
from contigwas.simulate.genomes import Chromosome
from contigwas.simulate.settings import LATENTS, Simulation
from contigwas.simulate.traits import POLYGENIC_AF, standardised

log = logging.getLogger(__name__)

SWAPPED = 0.3  # share of rows whose effect allele is the reference allele
OTHER_STRAND = 0.05  # share of rows on the other strand, among those that are not strand-ambiguous
AMBIGUOUS = 0.05  # share of additional strand-ambiguous rows
UNKNOWN = 0.03  # share of additional rows at positions without a variant
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def write_scores(
    folder: Path,
    array: Sequence[Chromosome],
    causal: pd.DataFrame,
    latents: np.ndarray,
    settings: Simulation,
    build: str,
    rng: np.random.Generator,
) -> None:
    """Write SIM000001.txt.gz … into `folder`: first relevant scores, one latent after another, then irrelevant ones.

    A relevant score has the simulated effects of the common SNPs of one latent, plus noise such that it explains a
    share 1 - `pgs.noise` of the latent. There is no noise if the simulated effects explain less. It also has some A/T
    and C/G SNPs with random effects. An irrelevant score has random effects at the same number of random SNPs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    many = settings.polygenic_snps + len(settings.planted_q2)
    total = settings.pgs.relevant + settings.pgs.irrelevant
    for number in range(total):
        if number < settings.pgs.relevant:
            latent = number % len(LATENTS)
            rows = causal[causal["latent"] == latent].drop_duplicates(["chromosome", "row"])
            weights = _add_noise(array, rows, latents[:, latent], 1 - settings.pgs.noise, rng)
            ambiguous_rows = _random_rows(array, round(AMBIGUOUS * len(rows)), rng, ambiguous=True)
            scale = np.sqrt(np.mean(weights**2)) if len(weights) else 0
            weights = np.concatenate([weights, scale * rng.standard_normal(len(ambiguous_rows))])
            rows = pd.concat([rows, ambiguous_rows], ignore_index=True)
            trait = f"simulated {LATENTS[latent]}"
        else:
            rows = _random_rows(array, many, rng)
            weights = rng.standard_normal(len(rows))
            trait = f"simulated unrelated trait {number - settings.pgs.relevant + 1}"
        table = _as_published(_per_allele(array, rows, weights), settings, rng)
        _write(folder, f"SIM{number + 1:06d}", trait, table, build)
    for path in folder.glob("SIM[0-9]*.txt.gz"):
        if int(path.name[3:9]) > total:  # of an earlier run, which would match the pattern in the config
            path.unlink()
    log.info("%d relevant and %d irrelevant polygenic scores", settings.pgs.relevant, settings.pgs.irrelevant)


def _add_noise(
    array: Sequence[Chromosome], rows: pd.DataFrame, latent: np.ndarray, wanted: float, rng: np.random.Generator
) -> np.ndarray:
    """Add noise to the simulated effects (per SD of dosage) until r² between score and `latent` is `wanted`."""
    effects = rows["effect"].to_numpy()
    noise = rng.standard_normal(len(rows)) * np.sqrt(np.mean(effects**2)) if len(rows) else effects
    effect_score, noise_score = np.zeros(len(latent)), np.zeros(len(latent))
    for chromosome, part in rows.assign(noise=noise).groupby("chromosome"):
        dosage = standardised(array[chromosome].counts[part["row"]])
        effect_score += part["effect"].to_numpy() @ dosage
        noise_score += part["noise"].to_numpy() @ dosage
    if not effect_score.any():
        return effects

    def explained(amount: float) -> float:
        return np.corrcoef(effect_score + amount * noise_score, latent)[0, 1] ** 2

    if explained(0) <= wanted:
        return effects
    low, high = 0.0, 1.0
    while explained(high) > wanted and high < 1e3:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if explained(middle) > wanted else (low, middle)
    return effects + high * noise


def _random_rows(
    array: Sequence[Chromosome], many: int, rng: np.random.Generator, ambiguous: bool = False
) -> pd.DataFrame:
    """Draw common SNPs, strand-ambiguous or not, or only strand-ambiguous ones if `ambiguous`."""
    pool = [
        (chromosome, row)
        for chromosome, variants in enumerate(array)
        for row in np.flatnonzero(
            (variants.af >= POLYGENIC_AF[0]) & (variants.af <= POLYGENIC_AF[1]) & (variants.ambiguous | (not ambiguous))
        ).tolist()
    ]
    picks = np.sort(rng.permutation(len(pool))[:many])
    return pd.DataFrame([pool[pick] for pick in picks], columns=["chromosome", "row"])


def _per_allele(array: Sequence[Chromosome], rows: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """Return chromosome, position, alleles and weight per alternate allele, sorted by position."""
    parts = []
    for chromosome, part in rows.assign(weight=weights).groupby("chromosome"):
        part = part.sort_values("row", kind="stable")
        snps = array[chromosome].take(part["row"].to_numpy())
        sd = snps.counts.std(axis=1, dtype=np.float64)
        parts.append(
            pd.DataFrame(
                {
                    "chr_name": snps.name,
                    "chr_position": snps.pos,
                    "effect_allele": snps.alt,
                    "other_allele": snps.ref,
                    "effect_weight": part["weight"].to_numpy() / np.where(sd > 0, sd, 1),
                    "ambiguous": snps.ambiguous,
                }
            )
        )
    columns = ["chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "ambiguous"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _as_published(table: pd.DataFrame, settings: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """Vary a score as in published files: swapped effect alleles, the other strand, and variants without genotypes."""
    table = table.copy()
    swap = rng.random(len(table)) < SWAPPED
    alleles = table.loc[swap, ["other_allele", "effect_allele"]].to_numpy()
    table.loc[swap, ["effect_allele", "other_allele"]] = alleles
    table.loc[swap, "effect_weight"] *= -1
    strand = (rng.random(len(table)) < OTHER_STRAND) & ~table["ambiguous"].to_numpy(dtype=bool)
    for column in ("effect_allele", "other_allele"):
        table.loc[strand, column] = table.loc[strand, column].map(COMPLEMENT)
    unknown = pd.DataFrame(
        {
            "chr_name": [str(one) for one in rng.integers(1, settings.chromosomes + 1, round(UNKNOWN * len(table)))],
            "chr_position": settings.length + rng.integers(1, 1_000_000, round(UNKNOWN * len(table))),
            "effect_allele": "A",
            "other_allele": "G",
            "effect_weight": rng.standard_normal(round(UNKNOWN * len(table))) * table["effect_weight"].std(),
        }
    )
    table = pd.concat([table.drop(columns="ambiguous"), unknown], ignore_index=True) if len(unknown) else table
    table = table.sort_values(
        ["chr_name", "chr_position"], kind="stable", key=lambda column: column.astype(int), ignore_index=True
    )
    identifiers = 1_000_000_000 * table["chr_name"].astype(int) + table["chr_position"].astype(int)
    table.insert(0, "rsID", "rs" + identifiers.astype(str))
    return table[["rsID", "chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"]]


def _write(folder: Path, name: str, trait: str, table: pd.DataFrame, build: str) -> None:
    """Write a scoring file. The gzip header has neither time nor name, so that reruns give identical files."""
    header = [
        "###PGS CATALOG SCORING FILE - made by contigwas, simulated",
        "#format_version=2.0",
        "##POLYGENIC SCORE (PGS) INFORMATION",
        f"#pgs_id={name}",
        f"#pgs_name={trait.replace(' ', '_')}",
        f"#trait_reported={trait}",
        f"#genome_build={build}",
        f"#variants_number={len(table)}",
        "#weight_type=beta",
    ]
    body = table.to_csv(sep="\t", index=False, float_format="%.8g", lineterminator="\n")
    text = "\n".join(header) + "\n" + body
    with replacing(folder / f"{name}.txt.gz") as temporary:
        temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))
