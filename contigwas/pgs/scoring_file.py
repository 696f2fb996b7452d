"""Read scoring files: those of the PGS Catalog (harmonised or not), and tables of weights as of plink2 --score."""

import logging
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.genome_build import named_build
from contigwas.pgs.columns import BLANK, Columns
from contigwas.pgs.rows import Names, Rows
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require, unpacked

log = logging.getLogger(__name__)

COMPLEX = ("is_haplotype", "is_diplotype", "is_interaction")
DOSAGES = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
PLACES = {"HmPOS_build": ("hm_chr", "hm_pos"), "genome_build": ("chr_name", "chr_position")}
TEXTS = (
    "rsID", "hm_rsID", "effect_allele", "other_allele", "hm_inferOtherAllele", "chr_name", "hm_chr",
    "is_dominant", "is_recessive", *COMPLEX,
)  # fmt: skip
NUMBERS = ("chr_position", "hm_pos", "effect_weight", *DOSAGES)
BUILDS = {"37": "GRCh37", "38": "GRCh38"}
UNKNOWN_BUILD = {"", "nr", "na", "none", "unknown"}
# what plink2's users call the columns of a table of weights, in lower case
TABLE = {
    "id": ("id", "snp", "rsid", "variant", "variant_id", "markername"),
    "effect": ("a1", "effect_allele", "allele", "allele1", "ea"),
    "other": ("a2", "other_allele", "allele2", "oa", "nea"),
    "chrom": ("chrom", "chr", "chr_name"),
    "pos": ("pos", "bp", "chr_position"),
}
ONE = {"weight", "beta", "score", "effect", "effect_weight"}  # a lone column of weights that is no score's name
PLACE = re.compile(r"(?:chr)?(\d{1,2}|[XYM]|XY|MT)[:_](\d{1,10})(?:[:_]([ACGTacgt]+)[:_]([ACGTacgt]+))?")


@dataclass(frozen=True)
class Score:
    """One score: its name, its trait, and the weights of its file's rows.

    weights: float64, (rows,) for each effect allele, or (rows, 3) for 0, 1 and 2 effect alleles.
    """

    name: str
    trait: str
    weights: np.ndarray


@dataclass(frozen=True)
class ScoringFile:
    """A file of one score or many, which share their rows.

    kind: `PGS Catalog`, `plain` (three columns) or `table`; elsewhere: chromosomes and positions of its rows on builds
    other than the one that was asked for, by build and the header's key; placed: whether `rows` has positions.
    """

    path: Path
    kind: str
    rows: Rows
    scores: list[Score]
    elsewhere: Mapping[tuple[str, str], tuple[Names, np.ndarray]]

    @property
    def placed(self) -> bool:
        """Whether any row has a position on the build that was asked for."""
        return bool((self.rows.pos > 0).any())


@dataclass(frozen=True)
class Top:
    """What stands above the rows: `#key=value` lines, the names of the columns, the number of lines up to the rows."""

    header: Mapping[str, str]
    columns: list[str]
    lines: int
    tabs: bool


def read_scoring_file(path: PathLike, build: str, exclude: Collection[str] = ()) -> ScoringFile:
    """Read a scoring file, gzipped or not, for genotypes whose positions are on `build`.

    PGS Catalog (format 2.0): known by the column effect_allele. Harmonised columns come first; a row that was not
    harmonised keeps its own position where `#genome_build` is `build`. Positions on another build are put aside, into
    `elsewhere`. A dosage weight column replaces `effect_weight` where it is filled. The name is `#pgs_id`, else the
    file's stem. Tables for plink2 --score: a header with an ID, the counted allele (A1), perhaps the other allele and
    the place, and one column a score; or three columns without a header: ID, allele, weight. An ID such as
    `chr1:1000:A:G` gives the place where no column does. A file of the catalog whose score is in `exclude` is not read
    beyond its header, and has no row. Raises UserError for haplotypes, diplotypes and interactions,
    and for malformed files.
    """
    path = require(path, "pgs.scores")
    top = _top(path)
    return _catalog(path, top, build, exclude) if _of_catalog(top) else _table(path, top)


def read_top(path: PathLike) -> Top:
    """What stands above the rows of a scoring file, whose columns of the PGS Catalog are checked."""
    path = require(path, "pgs.scores")
    top = _top(path)
    if _of_catalog(top):
        _check_columns(path, top.columns)
    return top


def _of_catalog(top: Top) -> bool:
    ids = {*TABLE["id"]} - {"rsid"}  # the catalog has rsID only
    return "effect_allele" in top.columns and not ids & {one.lower() for one in top.columns}


def _top(path: Path) -> Top:
    """Read down to the rows. A last `#` line of several columns is their header, as plink2 writes it."""
    found: dict[str, str] = {}
    marked: list[str] = []
    try:
        with unpacked(path) as handle:
            for number, raw in enumerate(handle):
                line = raw.decode("utf-8-sig", errors="replace").rstrip("\r\n")
                if not line.startswith("#"):
                    tabs = "\t" in line
                    if marked and len(marked) == len(_split(line, tabs)):
                        return Top(found, marked, number, tabs)
                    return Top(found, _split(line, tabs), number + 1, tabs)
                key, separator, value = line.lstrip("#").partition("=")
                if separator:
                    found[key.strip()] = value.strip()
                marked = [] if separator else _split(line.lstrip("#"), "\t" in line)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): download it again") from None
    raise UserError(f"{path} is empty or has only a header: a PGS Catalog scoring file is expected")


def _split(line: str, tabs: bool) -> list[str]:
    return [one.strip() for one in line.split("\t")] if tabs else line.split()


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".bgz").rsplit(".", 1)[0]


def _catalog(path: Path, top: Top, build: str, exclude: Collection[str]) -> ScoringFile:
    name = top.header.get("pgs_id") or _stem(path)
    if name in exclude:
        nothing = Names.unknown(0)
        rows = Rows(nothing, np.empty(0, np.int64), pa.nulls(0, pa.string()), nothing, nothing)
        return ScoringFile(path, "PGS Catalog", rows, [Score(name, "", np.empty(0))], {})
    _check_columns(path, top.columns)
    table = Columns(path, top.columns, top.lines, TEXTS, NUMBERS)
    if not len(table):
        raise UserError(f"{path}: the score {name} has no row below its header: take it out of pgs.scores")
    refused = np.logical_or.reduce([table.flags(one) for one in COMPLEX])
    if refused.any():
        raise UserError(
            f"{path}: the score {name} has {refused.sum()} rows of haplotypes, diplotypes or interactions (of "
            f"{len(table)}), which cannot be scored from genotypes of single variants: name it in pgs.exclude, or take "
            "it out of pgs.scores"
        )
    chrom, pos, elsewhere = _places(path, table, top.header, build)
    other = table.names("other_allele", upper=True).filled(table.names("hm_inferOtherAllele", upper=True))
    single = Names(other.codes, ["" if set(text) & set("/,") else text for text in other.values])
    rsid = pa.compute.coalesce(table.text("hm_rsID"), table.text("rsID"))
    rows = Rows(chrom, pos, rsid, table.names("effect_allele", upper=True), single)
    score = Score(name, top.header.get("trait_reported", ""), _weights(path, table))
    return ScoringFile(path, "PGS Catalog", rows, [score], elsewhere)


def _check_columns(path: Path, columns: list[str]) -> None:
    seen = ", ".join(columns[:12])
    twice = sorted({one for one in (*TEXTS, *NUMBERS) if columns.count(one) > 1})
    if twice:
        raise UserError(f"{path} has the column {', '.join(twice)} more than once: keep one of them")
    if "effect_weight" not in columns and not set(DOSAGES) <= set(columns):
        raise UserError(f"{path} has no column effect_weight (nor {', '.join(DOSAGES)}): its header names {seen}")
    if not any(set(place) <= set(columns) for place in PLACES.values()) and not {"rsID", "hm_rsID"} & set(columns):
        raise UserError(f"{path} has neither positions (chr_name and chr_position) nor rsID: its header names {seen}")


def _build(header: Mapping[str, str], key: str) -> str | None:
    """The build that a header line names, in the words of the config; None where it names none."""
    text = header.get(key, "")
    return None if text.lower() in UNKNOWN_BUILD else BUILDS.get(text) or named_build(text) or text


def _places(
    path: Path, table: Columns, header: Mapping[str, str], build: str
) -> tuple[Names, np.ndarray, dict[tuple[str, str], tuple[Names, np.ndarray]]]:
    """Chromosomes and positions on `build` (empty and -1 where there is none), and those on other builds."""
    chrom, pos = Names.unknown(len(table)), np.full(len(table), -1, np.int64)
    elsewhere: dict[tuple[str, str], tuple[Names, np.ndarray]] = {}
    harmonised = all(one in table for one in PLACES["HmPOS_build"])
    for key, (of_chrom, of_pos) in PLACES.items():
        if of_chrom not in table or of_pos not in table:
            continue
        named = _build(header, key)
        if named is None and key == "genome_build" and harmonised:
            continue  # the harmonised places are on a known build, these are not
        mine = _chromosomes(table.names(of_chrom)), _positions(path, table, of_pos)
        if named is not None and named != build:
            elsewhere[named, key] = mine
            continue
        if named is None:
            log.warning("%s does not name its build (#%s): its positions are taken as %s", path.name, key, build)
        fill = (pos < 0) & (mine[1] > 0) & ~mine[0].is_empty()
        pos[fill] = mine[1][fill]
        chrom = chrom.filled(mine[0].where(fill))
    return chrom, pos, elsewhere


def _chromosomes(names: Names) -> Names:
    return Names.of(names.codes, [chromosome(text) if text else "" for text in names.values])


def _positions(path: Path, table: Columns, name: str) -> np.ndarray:
    """A column of positions: int64, -1 where it is blank; UserError where it is no whole number."""
    values = table.numbers(name)
    known = ~np.isnan(values)
    wrong = known & (values != np.floor(np.where(known, values, 0)))
    if wrong.any():
        raise UserError(
            f"{path}: {wrong.sum()} values of {name} are no whole numbers (the first, in row {wrong.argmax() + 1} "
            f"below the header, is {values[wrong.argmax()]}): fix the file"
        )
    return np.where(known, values, -1).astype(np.int64)


def _weights(path: Path, table: Columns) -> np.ndarray:
    """Weights of an effect allele: float64 (rows,); of 0, 1 and 2 of them (rows, 3) where a row is not additive."""
    weight = table.numbers("effect_weight")
    dominant, recessive = table.flags("is_dominant"), table.flags("is_recessive")
    if (dominant & recessive).any():
        raise UserError(
            f"{path}: {(dominant & recessive).sum()} rows are both is_dominant and is_recessive: fix the file"
        )
    dosages = np.column_stack([table.numbers(one) for one in DOSAGES])
    some = ~np.isnan(dosages).all(axis=1)
    if not (dominant.any() or recessive.any() or some.any()):
        weights = weight
    else:
        weights = weight[:, None] * np.array([0.0, 1.0, 2.0])
        weights[dominant, 2] = weight[dominant]
        weights[recessive, 1:] = np.column_stack([np.zeros(recessive.sum()), weight[recessive]])
        weights[some] = dosages[some]
    _require_weights(path, np.isnan(weights.reshape(len(table), -1)).any(axis=1))
    return weights


def _require_weights(path: Path, absent: np.ndarray) -> None:
    if absent.any():
        raise UserError(
            f"{path}: {absent.sum()} rows have no weight (the first is row {absent.argmax() + 1} below the header): "
            "fix the file"
        )


def _table(path: Path, top: Top) -> ScoringFile:
    """A table for plink2 --score, with or without a header."""
    lower = [one.lower() for one in top.columns]
    found = {role: next((lower.index(one) for one in names if one in lower), None) for role, names in TABLE.items()}
    plain = len(lower) == 3 and _is_number(lower[2]) and not _is_number(lower[1])
    seen = ", ".join(top.columns[:12])
    if not plain and (found["effect"] is None or (found["id"] is None and None in (found["chrom"], found["pos"]))):
        raise UserError(
            f"{path} has no column effect_allele: its header names {seen}; supply a scoring file of the PGS Catalog, or "
            "a table with the columns ID, A1 and one a score"
        )
    columns, lines = ([*top.columns], top.lines)
    if plain:
        columns, lines, found = ["ID", "A1", _stem(path)], top.lines - 1, {**dict.fromkeys(TABLE), "id": 0, "effect": 1}
    weights = [number for number in range(len(columns)) if number not in found.values()]
    names = [columns[number] for number in weights]
    if not names or len(set(columns)) < len(columns):
        what = "no column of weights" if not names else "a column twice"
        raise UserError(f"{path} has {what}: its header names {seen}")
    numbers = [*names, *([columns[found["pos"]]] if found["pos"] is not None else [])]
    texts = [columns[found[role]] for role in ("id", "effect", "other", "chrom") if found[role] is not None]
    table = Columns(path, columns, lines, texts, numbers) if top.tabs else _spaced(path, columns, lines, texts, numbers)
    if not len(table):
        raise UserError(f"{path} has no row below its header: take it out of pgs.scores")
    role = {key: columns[place] if place is not None else "" for key, place in found.items()}
    effect, other = (table.names(role[key], upper=True) for key in ("effect", "other"))
    ids = table.text(role["id"])
    if found["chrom"] is not None and found["pos"] is not None:
        chrom, pos = _chromosomes(table.names(role["chrom"])), _positions(path, table, role["pos"])
    else:
        chrom, pos, other = _from_ids(ids, effect, other)
    alone = [_stem(path)] if len(names) == 1 and names[0].lower() in ONE else names
    scores = []
    for name, column in zip(alone, names, strict=True):
        values = table.numbers(column)
        _require_weights(path, np.isnan(values))
        scores.append(Score(name, "", values))
    rows = Rows(chrom, pos, ids, effect, other)
    return ScoringFile(path, "plain" if plain else "table", rows, scores, {})


def _spaced(path: Path, columns: list[str], lines: int, texts: list[str], numbers: list[str]) -> Columns:
    """A table that spaces separate, by way of tabs."""
    with unpacked(path) as handle:
        body = b"\n".join(b"\t".join(line.split()) for line in islice(handle, lines, None) if line.strip())
    return Columns(path, columns, 0, texts, numbers, body)


def _from_ids(ids: pa.Array, effect: Names, other: Names) -> tuple[Names, np.ndarray, Names]:
    """The place that IDs such as `chr1:1000:A:G` name, and the allele of theirs that is not the effect allele."""
    chroms, others, pos = [], [], np.full(len(ids), -1, np.int64)
    if not any(PLACE.fullmatch(text or "") for text in ids[:100].to_pylist()):
        return Names.unknown(len(ids)), pos, other
    counted = effect.tolist()
    for number, text in enumerate(ids.to_pylist()):
        place = PLACE.fullmatch(text or "")
        alleles = {one.upper() for one in place.groups()[2:] if one} if place else set()
        left = alleles - {counted[number]}
        chroms.append(chromosome(place[1]) if place else "")
        others.append(left.pop() if len(left) == 1 else "")
        if place:
            pos[number] = int(place[2])
    every = np.arange(len(ids), dtype=np.int32)
    return Names.of(every, chroms), pos, other.filled(Names.of(every, others))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in BLANK
    return True
