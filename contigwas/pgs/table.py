"""From scoring files and genotypes to the table of scores, and what became of every row."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.genotypes.files import describe_files
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.pgs.builds import require_build
from contigwas.pgs.matching import OUTCOMES, USED, Match, Targets, match
from contigwas.pgs.score import assemble, score_sums
from contigwas.pgs.scoring_file import read_scoring_file
from contigwas.pgs.targets import all_variants, checked_variants, targets
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import write_modality
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Matched:
    """One score and what became of its rows. kind: of the file; weights: as of `Score`."""

    name: str
    trait: str
    kind: str
    weights: np.ndarray
    match: Match

    def row(self, min_overlap: float) -> dict[str, object]:
        """The score's row of the report."""
        entering = int(self.match.used.sum())
        overlap = entering / self.match.outcome.size
        reason = "no row matched" if not entering else f"overlap below {min_overlap:g}" if overlap < min_overlap else ""
        counts = {"rows": self.match.outcome.size, **self.match.counts(), "overlap": overlap}
        return {"score": self.name, "kind": self.kind, **counts, "kept": int(not reason), "reason": reason}


def write_pgs(
    scores: Sequence[PathLike],
    genotype_files: GenotypeFiles,
    variants: Mapping[str, PathLike],
    cohort: PathLike,
    settings: Mapping[str, object],
    build: str,
    output: PathLike,
    output_matching: PathLike,
    threads: int = 1,
) -> None:
    """Write the modality of polygenic scores and `output_matching`, one row a score.

    A score is AVG = SUM/(2M): D effect alleles, a missing call 2 x the frequency among the samples written, M the rows
    that enter. `variants` maps each chromosome to the array's quality control, whose dropped variants are
    `filtered`. Where `settings["genotypes"]` is set, `genotype_files` are not the array's: `variants` then only names
    the chromosomes, dosages are scored if the files have them, and variants are filtered by `settings["qc"]` (`maf`,
    `info`) among the samples written. `settings` also has
    `exclude` (names of scores that are left out), `min_overlap`, below which share of entering rows a score is left
    out, and `ambiguous` (drop or keep). The modality: float32 (samples, scores), averages, and the sums as layer `sum`;
    samples are those of the cohort who are not excluded and in the genotypes. `output_matching`: rows of the file by
    outcome, which add up, overlap, kept (0/1) and the reason. Raises UserError for files that cannot be scored,
    positions of another build, two scores of one name, and when no score is left. Method: PGS Catalog Calculator's
    matching; plink2 --score gives the same sums and averages.
    """
    samples = read_cohort(cohort)
    own = settings.get("genotypes")
    chromosomes = list(variants)
    everything = all_variants(genotype_files, chromosomes) if own else checked_variants(variants)
    matched = _match_all(scores, targets(everything, genotype_files, chromosomes), settings, build)
    iids = _samples(samples, genotype_files, chromosomes, cohort)
    weights = assemble([(one.weights, one.match) for one in matched], len(everything))
    scored = score_sums(genotype_files, everything, weights, iids, threads, settings["qc"] if own else None)
    matched = [replace(one, match=one.match.without(scored.dropped)) for one in matched]
    matching = pd.DataFrame([one.row(settings["min_overlap"]) for one in matched])
    _tell(matching)
    used = matching["kept"].to_numpy() == 1
    if not used.any():
        raise UserError(
            f"none of the {len(matching)} scores of pgs.scores matches the genotypes well enough (the best overlap is "
            f"{matching['overlap'].max():.3f}, pgs.min_overlap is {settings['min_overlap']}): check genotypes.build "
            "and the positions of the scores, or lower pgs.min_overlap"
        )
    entering = matching[list(OUTCOMES[:USED])].sum(axis=1).to_numpy()
    features = pd.DataFrame(
        {
            "trait": np.array([one.trait for one in matched], dtype=object)[used],
            "n_rows": matching["rows"].to_numpy()[used],
            "n_matched": entering[used],
            "overlap": matching["overlap"].to_numpy()[used],
        },
        index=matching["score"].to_numpy()[used],
    )
    provenance = {
        "stage": "pgs", "genotypes": describe_files(genotype_files), "build": build,
        "min_overlap": settings["min_overlap"],
        "ambiguous": settings["ambiguous"], "scores_given": len(matching), "scores": int(used.sum()),
        "variants": len(everything), "samples_in_cohort": len(samples), "n_samples": len(iids),
    }  # fmt: skip
    sums = np.ascontiguousarray(scored.sums[used].T)
    averages = (sums / (2 * entering[used])).astype(np.float32)
    layers = {"sum": sums.astype(np.float32)}
    write_modality(output, averages, pd.Index(iids), features, provenance, layers)
    write_tsv(matching, output_matching)


def _samples(
    everyone: pd.DataFrame, genotype_files: GenotypeFiles, chromosomes: Sequence[str], cohort: PathLike
) -> np.ndarray:
    """IIDs of the cohort's samples that are in the genotypes, in the cohort's order."""
    iids_included = included(everyone)["iid"].astype(str)
    there = open_genotypes(genotype_files, chromosomes[0])
    require_overlap(iids_included, there.samples["iid"], f"the cohort ({cohort})", f"the genotypes ({there.path})")
    iids = iids_included[iids_included.isin(there.samples["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d samples of the cohort are in the genotypes", len(iids), len(iids_included))
    return iids


def _match_all(
    paths: Sequence[PathLike], variants: Targets, settings: Mapping[str, object], build: str
) -> list[Matched]:
    """Every score of every file, but the excluded ones, with its match."""
    if not paths:
        raise UserError("no file matches pgs.scores: correct the pattern in the config, or leave the block pgs out")
    exclude = set(settings.get("exclude", ()))
    left, origin, found = set(exclude), {}, []
    for path in tqdm(paths, desc="scoring files", unit="file", disable=None):
        file = read_scoring_file(path, build, exclude)
        here = [score for score in file.scores if score.name not in exclude]
        for score in file.scores:
            if score.name in exclude:
                left.discard(score.name)
                log.info("%s is excluded by pgs.exclude", score.name)
            elif score.name in origin:
                raise UserError(
                    f"{path} and {origin[score.name]} are both the score {score.name}: keep one of them in pgs.scores"
                )
            origin.setdefault(score.name, Path(path))
        if not here:
            continue
        outcome = match(file.rows, variants, keep_ambiguous=settings["ambiguous"] == "keep")
        require_build(file, outcome, variants, build)
        found += [Matched(score.name, score.trait, file.kind, score.weights, outcome) for score in here]
    if left:
        log.warning("pgs.exclude names scores that no file has: %s", ", ".join(sorted(left)))
    if not found:
        raise UserError("pgs.exclude leaves no score of pgs.scores: shorten it, or leave the block pgs out")
    return found


def _tell(matching: pd.DataFrame) -> None:
    """Log what became of the rows of every score."""
    for row in matching.to_dict("records"):
        reported = ", ".join(f"{row[one]} {one}" for one in OUTCOMES if row[one])
        left = f", left out ({row['reason']})" if row["reason"] else ""
        log.info("%s: %d rows, overlap %.3f%s; %s", row["score"], row["rows"], row["overlap"], left, reported)
    log.info("%d of %d scores kept", matching["kept"].sum(), len(matching))
