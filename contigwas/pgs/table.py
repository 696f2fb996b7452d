"""From scoring files and genotypes to the table of scores, and what became of every row."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require, write_tsv
from contigwas.modality import write_modality
from contigwas.pgs.matching import OUTCOMES, Match, Targets, match
from contigwas.pgs.score import assemble, score_sums
from contigwas.pgs.scoring_file import read_scoring_file
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)

COLUMNS = ["chrom", "pos", "id", "effect_allele", "other_allele", "index"]


def write_pgs(
    scores: Sequence[PathLike],
    pattern: PathLike,
    variants: Mapping[str, PathLike],
    cohort: PathLike,
    settings: Mapping[str, object],
    build: str,
    output: PathLike,
    output_matching: PathLike,
) -> None:
    """Write the modality of polygenic scores and `output_matching`, one row a score.

    A score is AVG = SUM/(2M): D effect alleles, a missing call 2 x the frequency among the cohort's people, M the
    rows that enter. `variants` maps each chromosome to its table of quality control, whose kept variants are matched.
    `settings` has `min_overlap`, below which share of entering rows a score is left out, and `ambiguous` (drop or
    keep). The modality: float32 (people, scores), not scaled. `output_matching`: rows of the file by outcome, which
    add up, overlap, kept (0/1) and the reason. Raises UserError for files that cannot be scored, two files of one
    name, and when no score is left. Method: PGS Catalog Calculator's matching; plink2 --score gives the same averages.
    """
    people = read_cohort(cohort)
    iids = people.loc[people["excluded"] == "", "iid"].to_numpy(dtype=str)
    kept = pd.concat([_kept(path) for path in variants.values()], ignore_index=True)
    matching, traits, chosen = _match_all(scores, Targets(kept), settings, build)
    if not chosen:
        best = matching["overlap"].max()
        raise UserError(
            f"none of the {len(matching)} scores of pgs.scores matches the genotypes well enough (the best overlap is "
            f"{best:.3f}, pgs.min_overlap is {settings['min_overlap']}): check genotypes.build and the positions of "
            f"the scores, or lower pgs.min_overlap"
        )
    used = matching["kept"].to_numpy() == 1
    n_matched = matching[list(OUTCOMES[:4])].sum(axis=1).to_numpy()
    sums = score_sums(pattern, kept, assemble(chosen, len(kept)), iids)
    sums /= 2 * n_matched[used, None]
    features = pd.DataFrame(
        {
            "trait": np.array(traits, dtype=object)[used],
            "n_rows": matching["rows"].to_numpy()[used],
            "n_matched": n_matched[used],
            "overlap": matching["overlap"].to_numpy()[used],
        },
        index=matching["score"].to_numpy()[used],
    )
    provenance = {
        "stage": "pgs", "genotypes": str(pattern), "build": build, "min_overlap": settings["min_overlap"],
        "ambiguous": settings["ambiguous"], "scores_given": len(matching), "scores": int(used.sum()),
        "variants": len(kept), "people_in_cohort": len(people), "people": len(iids),
    }  # fmt: skip
    write_modality(output, np.ascontiguousarray(sums.T, dtype=np.float32), pd.Index(iids), features, provenance)
    write_tsv(matching, output_matching)


def _kept(path: PathLike) -> pd.DataFrame:
    """The variants that quality control kept."""
    path = require(path, "the variants' quality control")
    return pd.read_parquet(path, columns=COLUMNS, filters=[("kept", "==", True)])


def _match_all(
    scores: Sequence[PathLike], targets: Targets, settings: Mapping[str, object], build: str
) -> tuple[pd.DataFrame, list[str], list[tuple[np.ndarray, Match]]]:
    """The matching table, every score's trait, and weights and match of the scores that are kept."""
    if not scores:
        raise UserError("no file matches pgs.scores: correct the pattern in the config, or leave the block pgs out")
    table, traits, chosen, origin = [], [], [], {}
    for path in scores:
        score = read_scoring_file(path, build)
        if score.name in origin:
            raise UserError(
                f"{path} and {origin[score.name]} are both the score {score.name}: keep one of them in pgs.scores"
            )
        origin[score.name] = Path(path)
        found = match(score.rows, targets, keep_ambiguous=settings["ambiguous"] == "keep")
        overlap = float(found.used.mean())
        reason = ""
        if overlap < settings["min_overlap"]:
            reason = f"overlap below {settings['min_overlap']:g}"
        elif not found.used.any():
            reason = "no row matched"
        row = {"score": score.name, "rows": len(score.rows), **found.counts(), "overlap": overlap,
               "kept": int(not reason), "reason": reason}  # fmt: skip
        log.info("%s: %d rows, overlap %.3f%s; %s", score.name, len(score.rows), overlap,
                 f", left out ({reason})" if reason else "",
                 ", ".join(f"{row[one]} {one}" for one in OUTCOMES if row[one]))  # fmt: skip
        table.append(row)
        traits.append(score.trait)
        if not reason:
            chosen.append((score.rows[["w0", "w1", "w2"]].to_numpy(), found))
    log.info("%d of %d scores kept", len(chosen), len(table))
    return pd.DataFrame(table), traits, chosen
