"""Polygenic scores: their headers, their builds, and how many of their rows the genotypes have."""

from collections.abc import Sequence
from pathlib import Path

from contigwas.config import settings as config_settings
from contigwas.pgs.builds import require_build
from contigwas.pgs.matching import UNMATCHED, Targets, match
from contigwas.pgs.scoring_file import ScoringFile, read_scoring_file, read_top
from contigwas.preflight.context import Study
from contigwas.runtime.errors import UserError

KEY = "pgs.scores"
WHOLE = 12 * 2**20  # bytes of scoring files, the smallest first, that are read whole; of the others the header


def check(study: Study) -> None:
    """Every file that pgs.scores finds."""
    settings = study.config.get("pgs")
    if settings is None:
        return
    if settings["download"]:
        study.findings.fact("pgs.download", f"fetched by the run: {len(settings['download'])} scores")
        study.counts["scores"] = len(settings["download"])
    pattern = settings["scores"]
    if pattern is None:
        return
    with study.findings.reported(KEY):
        try:
            paths = [Path(path) for path in config_settings.found(pattern, KEY)]
        except UserError:
            if not config_settings.made(study.config, pattern):
                raise
            study.findings.fact(KEY, f"made by the run: {pattern}")
            return
        _files(study, paths, settings)


def _files(study: Study, paths: Sequence[Path], settings: dict) -> None:
    targets = _targets(study)
    names: dict[str, Path] = {}
    overlaps: list[float] = []
    spent = 0
    for path in sorted(paths, key=lambda path: path.stat().st_size):
        spent += path.stat().st_size
        with study.findings.reported(KEY):
            if spent > WHOLE:
                top = read_top(path)
                found = [top.header.get("pgs_id") or path.name]
            else:
                file = read_scoring_file(path, study.config["genotypes"]["build"], settings["exclude"])
                found = [one.name for one in file.scores if one.name not in settings["exclude"]]
                if found:
                    overlaps += [_overlap(study, file, targets)] * len(found)
            for name in found:
                if name in names:
                    raise UserError(
                        f"{path} and {names[name]} are both the score {name}: keep one of them in pgs.scores"
                    )
                names[name] = path
    study.counts["scores"] = study.counts.get("scores", 0) + len(names)
    unread = len(names) - len(overlaps)
    reported = f"{len(names)} scores in {len(paths)} files" + (
        f", {unread} of them by their header alone" if unread else ""
    )
    study.findings.fact(KEY, reported)
    if targets is not None and overlaps:
        # of those that the run fetches nothing is known yet either
        _tell(study, overlaps, settings["min_overlap"], unread + len(settings["download"]))


def _targets(study: Study) -> Targets | None:
    """The variants that scores are matched with; None where they are not known, or only a sample of them."""
    variants = study.variants.get("pgs.genotypes" if study.config["pgs"]["genotypes"] else "genotypes.array")
    if variants is None or not variants.whole:
        return None
    return Targets(variants.table[variants.table["chrom"] != "X"])


def _overlap(study: Study, file: ScoringFile, targets: Targets | None) -> float:
    """The share of rows that the genotypes have, before quality control; UserError where the build is another one."""
    build = study.config["genotypes"]["build"]
    if targets is None:
        others = {other for other, _ in file.elsewhere}
        if others and not file.placed:
            raise UserError(
                f"{file.path} has positions on {', '.join(sorted(others))}, but genotypes.build is {build}: download "
                f"the file that the PGS Catalog harmonised to {build}"
            )
        return 0.0
    found = match(file.rows, targets, keep_ambiguous=study.config["pgs"]["ambiguous"] == "keep")
    require_build(file, found, targets, build)
    return float((found.outcome < UNMATCHED).mean())


def _tell(study: Study, overlaps: Sequence[float], least: float, unread: int) -> None:
    few = sum(overlap < least for overlap in overlaps)
    best = max(overlaps)
    study.findings.fact(
        KEY, f"the genotypes have {min(overlaps):.0%} to {best:.0%} of a score's rows (before quality control)"
    )
    if few == len(overlaps) and not unread:
        study.findings.error(
            KEY,
            f"none of the {few} scores has {least:g} of its rows in the genotypes (the best has {best:.3f}): check "
            "genotypes.build, add the chromosomes that are missing, or lower pgs.min_overlap",
        )
    elif few:
        study.findings.warn(
            KEY,
            f"{few} of {len(overlaps)} scores have fewer than {least:g} of their rows in the genotypes and will be "
            "left out: add the chromosomes that are missing, or lower pgs.min_overlap",
        )
