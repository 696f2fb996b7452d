"""Check that a scoring file and the genotypes are on the same genome build."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from contigwas.pgs.matching import UNMATCHED, Match, Targets, match
from contigwas.pgs.rows import Names, Rows
from contigwas.pgs.scoring_file import ScoringFile
from contigwas.runtime.errors import UserError

SUFFICIENT_SHARE = 0.5  # of matched rows, above which the build is not in doubt
MIN_OTHER_SHARE = 0.1  # of rows that match on another build, above which an error is raised


def require_build(file: ScoringFile, found: Match, targets: Targets, build: str) -> None:
    """Raise UserError when the positions of the file are not on the genotypes' build.

    `found` is the match of the file. A header with another build is always an error. If the header gives the genotypes'
    build or none, and few rows match, three shares of rows are compared: rows that match by position on the genotypes'
    build, rows that match by the file's positions on another build, and rows whose rsID is at another position in the
    genotypes. The error reports these shares.
    """
    if not file.has_positions:
        for (other, key), positions in file.other_builds.items():
            raise UserError(
                f"{file.path} has positions on {other} (#{key}), but genotypes.build is {build}. Of its "
                f"{len(file.rows)} rows, {_matched_share(_match_by_position(file.rows, targets, positions)):.1%} "
                f"match by position on {other}, and {_moved_share(file.rows, targets, positions):.1%} have an rsID "
                f"that is at another position in the genotypes. Download the file that the PGS Catalog harmonised to "
                f"{build}."
            )
        return
    if (found.outcome != UNMATCHED).mean() >= SUFFICIENT_SHARE and not _mostly_moved(file.rows, found, targets):
        return
    share = _matched_share(_match_by_position(file.rows, targets, (file.rows.chrom, file.rows.pos)))
    for (other, key), positions in file.other_builds.items():
        other_share = _matched_share(_match_by_position(file.rows, targets, positions))
        if other_share > max(share, MIN_OTHER_SHARE):
            raise UserError(
                f"{file.path}: {share:.1%} of its {len(file.rows)} rows match by position on {build}, and "
                f"{other_share:.1%} by its positions on {other} (#{key}). The genotypes are on {other}: correct "
                "genotypes.build."
            )
    moved = _moved_share(file.rows, targets, (file.rows.chrom, file.rows.pos))
    if moved > max(share, MIN_OTHER_SHARE):
        raise UserError(
            f"{file.path}: {share:.1%} of its {len(file.rows)} rows match by position on {build}, and {moved:.1%} have "
            "an rsID that is at another position in the genotypes. The file or the genotypes are on another build: "
            f"download the file that the PGS Catalog harmonised to {build}, or correct genotypes.build."
        )


def _match_by_position(rows: Rows, targets: Targets, positions: tuple[Names, np.ndarray]) -> Match:
    """Match the rows by `positions` (chromosomes and positions) only."""
    chrom, pos = positions
    return match(replace(rows, chrom=chrom, pos=pos, rsid=pa.nulls(len(rows), pa.string())), targets)


def _mostly_moved(rows: Rows, found: Match, targets: Targets) -> bool:
    """Return whether most matched rows have a position that differs from that of their variant."""
    matched = (found.variant >= 0) & (rows.pos > 0)
    differs = targets.keys(rows.chrom, rows.pos)[matched] != targets.position_keys[found.variant[matched]]
    return bool(matched.any()) and differs.mean() > SUFFICIENT_SHARE


def _moved_share(rows: Rows, targets: Targets, positions: tuple[Names, np.ndarray]) -> float:
    """Return the share of rows with a position whose rsID is at another position in the genotypes."""
    chrom, pos = positions
    variant = targets.variants_with_id([(rsid or "").strip() for rsid in rows.rsid.to_pylist()])
    differs = (variant >= 0) & (pos > 0) & (targets.keys(chrom, pos) != targets.position_keys[np.maximum(variant, 0)])
    return float(differs.mean())


def _matched_share(found: Match) -> float:
    """Return the share of matched rows."""
    return float((found.outcome != UNMATCHED).mean())
