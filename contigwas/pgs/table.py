"""Write the modality of polygenic scores and the report of matching."""

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
    """One score and the match of its rows. `kind` is that of the file; `weights` are those of `Score`."""

    name: str
    trait: str
    kind: str
    weights: np.ndarray
    match: Match

    def row(self, min_overlap: float) -> dict[str, object]:
        """Return the row of the score in the report of matching."""
        n_used = int(self.match.used.sum())
        overlap = n_used / self.match.outcome.size
        reason = "no row matched" if not n_used else f"overlap below {min_overlap:g}" if overlap < min_overlap else ""
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
    """Write the modality of polygenic scores and `output_matching`, one row per score.

    A score is the average AVG = SUM/(2M), as in plink2 --score, where M is the number of rows that enter it. A missing
    call is replaced by 2 x the allele frequency among the samples written. `variants` maps each chromosome to the
    quality control of the array; rows of variants that failed it are `filtered`. If `settings["genotypes"]` is set,
    `genotype_files` are not those of the array. Then `variants` only lists the chromosomes, dosages are scored if the
    files have any, and variants are filtered by `settings["qc"]` (`maf`, `info`) among the samples written. `settings`
    also has `exclude` (names of excluded scores), `min_overlap` (minimum share of rows that enter a score) and
    `ambiguous` (drop or keep).

    The modality is float32 (samples, scores): averages, with the sums in the layer `sum`. The samples are the included
    samples of the cohort that have genotypes. `output_matching` has the number of rows of each outcome, overlap, kept
    (0/1) and the reason. Raises UserError for files that cannot be scored, positions on another build, a duplicated
    score name, and when no score is left. Matching follows the PGS Catalog Calculator; sums and averages agree with
    plink2 --score.
    """
    samples = read_cohort(cohort)
    own_genotypes = settings.get("genotypes")
    chromosomes = list(variants)
    target_variants = all_variants(genotype_files, chromosomes) if own_genotypes else checked_variants(variants)
    matched = _match_files(scores, targets(target_variants, genotype_files, chromosomes), settings, build)
    iids = _samples(samples, genotype_files, chromosomes, cohort)
    weights = assemble([(score.weights, score.match) for score in matched], len(target_variants))
    score_result = score_sums(
        genotype_files, target_variants, weights, iids, threads, settings["qc"] if own_genotypes else None
    )
    matched = [replace(score, match=score.match.filter_variants(score_result.dropped)) for score in matched]
    matching = pd.DataFrame([score.row(settings["min_overlap"]) for score in matched])
    _log_outcomes(matching)
    used = matching["kept"].to_numpy() == 1
    if not used.any():
        raise UserError(
            f"pgs.scores: none of the {len(matching)} scores reaches pgs.min_overlap (the highest overlap is "
            f"{matching['overlap'].max():.3f}, pgs.min_overlap is {settings['min_overlap']}). Check genotypes.build "
            "and the positions of the scores, or lower pgs.min_overlap."
        )
    n_used = matching[list(OUTCOMES[:USED])].sum(axis=1).to_numpy()
    features = pd.DataFrame(
        {
            "trait": np.array([score.trait for score in matched], dtype=object)[used],
            "n_rows": matching["rows"].to_numpy()[used],
            "n_matched": n_used[used],
            "overlap": matching["overlap"].to_numpy()[used],
        },
        index=matching["score"].to_numpy()[used],
    )
    provenance = {
        "stage": "pgs", "genotypes": describe_files(genotype_files), "build": build,
        "min_overlap": settings["min_overlap"],
        "ambiguous": settings["ambiguous"], "scores_given": len(matching), "scores": int(used.sum()),
        "variants": len(target_variants), "samples_in_cohort": len(samples), "n_samples": len(iids),
    }  # fmt: skip
    sums = np.ascontiguousarray(score_result.sums[used].T)
    averages = (sums / (2 * n_used[used])).astype(np.float32)
    layers = {"sum": sums.astype(np.float32)}
    write_modality(output, averages, pd.Index(iids), features, provenance, layers)
    write_tsv(matching, output_matching)


def _samples(
    cohort_table: pd.DataFrame, genotype_files: GenotypeFiles, chromosomes: Sequence[str], cohort: PathLike
) -> np.ndarray:
    """Return the IIDs of the included samples that are in the genotypes, in the order of the cohort."""
    iids_included = included(cohort_table)["iid"].astype(str)
    opened = open_genotypes(genotype_files, chromosomes[0])
    require_overlap(iids_included, opened.samples["iid"], f"the cohort ({cohort})", f"the genotypes ({opened.path})")
    iids = iids_included[iids_included.isin(opened.samples["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d samples of the cohort are in the genotypes", len(iids), len(iids_included))
    return iids


def _match_files(
    paths: Sequence[PathLike], variants: Targets, settings: Mapping[str, object], build: str
) -> list[Matched]:
    """Read all files and match their scores, except those in `pgs.exclude`."""
    if not paths:
        raise UserError("pgs.scores: no file matches the pattern. Correct it, or remove the block pgs from the config.")
    exclude = set(settings.get("exclude", ()))
    not_found, path_of_score, found = set(exclude), {}, []
    for path in tqdm(paths, desc="scoring files", unit="file", disable=None):
        file = read_scoring_file(path, build, exclude)
        kept_scores = [score for score in file.scores if score.name not in exclude]
        for score in file.scores:
            if score.name in exclude:
                not_found.discard(score.name)
                log.info("%s is excluded by pgs.exclude", score.name)
            elif score.name in path_of_score:
                raise UserError(
                    f"{path} and {path_of_score[score.name]} both contain the score {score.name}. "
                    "Keep one of them in pgs.scores."
                )
            path_of_score.setdefault(score.name, Path(path))
        if not kept_scores:
            continue
        outcome = match(file.rows, variants, keep_ambiguous=settings["ambiguous"] == "keep")
        require_build(file, outcome, variants, build)
        found += [Matched(score.name, score.trait, file.kind, score.weights, outcome) for score in kept_scores]
    if not_found:
        log.warning("pgs.exclude lists scores that are in no file: %s", ", ".join(sorted(not_found)))
    if not found:
        raise UserError("pgs.exclude excludes all scores of pgs.scores. Shorten it, or remove the block pgs.")
    return found


def _log_outcomes(matching: pd.DataFrame) -> None:
    """Log the outcomes of the rows of every score."""
    for row in matching.to_dict("records"):
        outcomes = ", ".join(f"{row[outcome]} {outcome}" for outcome in OUTCOMES if row[outcome])
        dropped = f", dropped ({row['reason']})" if row["reason"] else ""
        log.info("%s: %d rows, overlap %.3f%s; %s", row["score"], row["rows"], row["overlap"], dropped, outcomes)
    log.info("%d of %d scores kept", matching["kept"].sum(), len(matching))
