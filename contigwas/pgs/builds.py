"""Is a scoring file on the genotypes' build of the genome? Asked of its header, and of the places that both share."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from contigwas.pgs.matching import UNMATCHED, Match, Targets, match
from contigwas.pgs.rows import Names, Rows
from contigwas.pgs.scoring_file import ScoringFile
from contigwas.runtime.errors import UserError

ENOUGH = 0.5  # of the rows at a place of the genotypes: the build is no question
DOUBT = 0.1  # of the rows must speak for another build


def require_build(file: ScoringFile, found: Match, targets: Targets, build: str) -> None:
    """Raise UserError where the file's positions are of another build than the genotypes', with the shares of each.

    `found` is its match. A header that names another build is believed. Where it names the genotypes' build, or none,
    and few rows match, the shares decide: of the rows that match by position on the build, by the positions that the
    file has on another build, and of those whose rsID the genotypes hold at another place.
    """
    if not file.placed:
        for (other, key), places in file.elsewhere.items():
            raise UserError(
                f"{file.path} has positions on {other} (#{key}) but genotypes.build is {build}: of its "
                f"{len(file.rows)} rows {_share(_by_place(file.rows, targets, places)):.1%} match by position on "
                f"{other}, and {_moved(file.rows, targets, places):.1%} have an rsID that the genotypes hold at "
                f"another position: download the file that the PGS Catalog harmonised to {build}"
            )
        return
    if (found.outcome != UNMATCHED).mean() >= ENOUGH and not _by_name_alone(file.rows, found, targets):
        return
    here = _share(_by_place(file.rows, targets, (file.rows.chrom, file.rows.pos)))
    for (other, key), places in file.elsewhere.items():
        there = _share(_by_place(file.rows, targets, places))
        if there > max(here, DOUBT):
            raise UserError(
                f"{file.path}: {here:.1%} of its {len(file.rows)} rows match by position on {build}, and {there:.1%} "
                f"by the positions that it has on {other} (#{key}): the genotypes are on {other}, so correct "
                "genotypes.build"
            )
    moved = _moved(file.rows, targets, (file.rows.chrom, file.rows.pos))
    if moved > max(here, DOUBT):
        raise UserError(
            f"{file.path}: {here:.1%} of its {len(file.rows)} rows match by position on {build}, and {moved:.1%} have "
            "an rsID that the genotypes hold at another position: the file or the genotypes are on another build, so "
            f"download the file that the PGS Catalog harmonised to {build}, or correct genotypes.build"
        )


def _by_place(rows: Rows, targets: Targets, places: tuple[Names, np.ndarray]) -> Match:
    """The match by positions alone."""
    chrom, pos = places
    return match(replace(rows, chrom=chrom, pos=pos, rsid=pa.nulls(len(rows), pa.string())), targets)


def _by_name_alone(rows: Rows, found: Match, targets: Targets) -> bool:
    """Whether most rows that match have a position, and another than their variant's."""
    hit = (found.variant >= 0) & (rows.pos > 0)
    away = targets.keys(rows.chrom, rows.pos)[hit] != targets.place[found.variant[hit]]
    return bool(hit.any()) and away.mean() > ENOUGH


def _moved(rows: Rows, targets: Targets, places: tuple[Names, np.ndarray]) -> float:
    """The share of the rows that have a place and an rsID, which is in the genotypes at another place."""
    chrom, pos = places
    variant = targets.named([(one or "").strip() for one in rows.rsid.to_pylist()])
    away = (variant >= 0) & (pos > 0) & (targets.keys(chrom, pos) != targets.place[np.maximum(variant, 0)])
    return float(away.mean())


def _share(found: Match) -> float:
    return float((found.outcome != UNMATCHED).mean())
