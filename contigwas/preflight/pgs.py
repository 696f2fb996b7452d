"""Check polygenic scores: their headers, their genome builds, and the share of their rows in the genotypes."""

from collections.abc import Sequence
from pathlib import Path

from contigwas.config import settings as config_settings
from contigwas.pgs.builds import require_build
from contigwas.pgs.matching import UNMATCHED, Targets, match
from contigwas.pgs.scoring_file import ScoringFile, read_file_header, read_scoring_file
from contigwas.preflight.context import PreflightContext
from contigwas.runtime.errors import UserError

KEY = "pgs.scores"
MAX_BYTES = 12 * 2**20  # scoring files are read, smallest first, up to this size together; then only their headers


def check(context: PreflightContext) -> None:
    """Check every file that pgs.scores matches."""
    settings = context.config.get("pgs")
    if settings is None:
        return
    if settings["download"]:
        context.findings.fact("pgs.download", f"downloaded by the run: {len(settings['download'])} scores")
        context.counts["scores"] = len(settings["download"])
    pattern = settings["scores"]
    if pattern is None:
        return
    with context.findings.report_errors(KEY):
        try:
            paths = [Path(path) for path in config_settings.found(pattern, KEY)]
        except UserError:
            if not config_settings.made(context.config, pattern):
                raise
            context.findings.fact(KEY, f"created by the run: {pattern}")
            return
        _check_files(context, paths, settings)


def _check_files(context: PreflightContext, paths: Sequence[Path], settings: dict) -> None:
    targets = _targets(context)
    path_of: dict[str, Path] = {}
    overlaps: list[float] = []
    size = 0
    for path in sorted(paths, key=lambda path: path.stat().st_size):
        size += path.stat().st_size
        with context.findings.report_errors(KEY):
            if size > MAX_BYTES:
                top = read_file_header(path)
                names = [top.header.get("pgs_id") or path.name]
            else:
                file = read_scoring_file(path, context.config["genotypes"]["build"], settings["exclude"])
                names = [one.name for one in file.scores if one.name not in settings["exclude"]]
                if names:
                    overlaps += [_overlap(context, file, targets)] * len(names)
            for name in names:
                if name in path_of:
                    raise UserError(
                        f"pgs.scores: {path} and {path_of[name]} are both the score {name}. Keep one of them"
                    )
                path_of[name] = path
    context.counts["scores"] = context.counts.get("scores", 0) + len(path_of)
    unread = len(path_of) - len(overlaps)
    partly = f", of {unread} of them only the header was read" if unread else ""
    context.findings.fact(KEY, f"{len(path_of)} scores in {len(paths)} files{partly}")
    if targets is not None and overlaps:
        # downloaded scores are not read yet either
        _check_overlaps(context, overlaps, settings["min_overlap"], unread + len(settings["download"]))


def _targets(context: PreflightContext) -> Targets | None:
    """The variants that scores are matched with; None if they are not known completely."""
    variants = context.variants.get("pgs.genotypes" if context.config["pgs"]["genotypes"] else "genotypes.array")
    if variants is None or not variants.complete:
        return None
    return Targets(variants.table[variants.table["chrom"] != "X"])


def _overlap(context: PreflightContext, file: ScoringFile, targets: Targets | None) -> float:
    """The share of rows that match the genotypes, before quality control.

    Raises UserError if the score is on another genome build.
    """
    build = context.config["genotypes"]["build"]
    if targets is None:
        others = {other for other, _ in file.other_builds}
        if others and not file.has_positions:
            raise UserError(
                f"{file.path}: positions are on {', '.join(sorted(others))}, but genotypes.build is {build}. Download "
                f"the file that the PGS Catalog harmonised to {build}"
            )
        return 0.0
    found = match(file.rows, targets, keep_ambiguous=context.config["pgs"]["ambiguous"] == "keep")
    require_build(file, found, targets, build)
    return float((found.outcome < UNMATCHED).mean())


def _check_overlaps(context: PreflightContext, overlaps: Sequence[float], minimum: float, unread: int) -> None:
    below = sum(overlap < minimum for overlap in overlaps)
    best = max(overlaps)
    context.findings.fact(
        KEY, f"{min(overlaps):.0%} to {best:.0%} of the rows of a score are in the genotypes (before quality control)"
    )
    if below == len(overlaps) and not unread:
        context.findings.error(
            KEY,
            f"none of the {below} scores has {minimum:g} of its rows in the genotypes (maximum: {best:.3f}): check "
            "genotypes.build, add missing chromosomes, or lower pgs.min_overlap",
        )
    elif below:
        context.findings.warn(
            KEY,
            f"{below} of {len(overlaps)} scores have less than {minimum:g} of their rows in the genotypes and will be "
            "left out: add missing chromosomes, or lower pgs.min_overlap",
        )
