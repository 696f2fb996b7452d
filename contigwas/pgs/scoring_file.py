"""Read scoring files of the PGS Catalog (harmonised or not), and tables of weights for plink2 --score."""

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
POSITION_COLUMNS = {"HmPOS_build": ("hm_chr", "hm_pos"), "genome_build": ("chr_name", "chr_position")}
TEXTS = (
    "rsID", "hm_rsID", "effect_allele", "other_allele", "hm_inferOtherAllele", "chr_name", "hm_chr",
    "is_dominant", "is_recessive", *COMPLEX,
)  # fmt: skip
NUMBERS = ("chr_position", "hm_pos", "effect_weight", *DOSAGES)
BUILDS = {"37": "GRCh37", "38": "GRCh38"}
UNKNOWN_BUILD = {"", "nr", "na", "none", "unknown"}
# common column names of tables of weights for plink2, in lower case
TABLE_COLUMNS = {
    "id": ("id", "snp", "rsid", "variant", "variant_id", "markername"),
    "effect": ("a1", "effect_allele", "allele", "allele1", "ea"),
    "other": ("a2", "other_allele", "allele2", "oa", "nea"),
    "chrom": ("chrom", "chr", "chr_name"),
    "pos": ("pos", "bp", "chr_position"),
}
UNNAMED = {
    "weight",
    "beta",
    "score",
    "effect",
    "effect_weight",
}  # column names that do not name the score
VARIANT_ID = re.compile(r"(?:chr)?(\d{1,2}|[XYM]|XY|MT)[:_](\d{1,10})(?:[:_]([ACGTacgt]+)[:_]([ACGTacgt]+))?")


@dataclass(frozen=True)
class Score:
    """One score: its name, its trait, and the weights of the rows.

    `weights` is float64, (rows,) per effect allele, or (rows, 3) for 0, 1 and 2 effect alleles.
    """

    name: str
    trait: str
    weights: np.ndarray


@dataclass(frozen=True)
class ScoringFile:
    """A file with one or more scores, which share their rows.

    Attributes:
        path: the file.
        kind: `PGS Catalog`, `plain` (three columns) or `table`.
        rows: positions on the genotypes' build, IDs and alleles.
        scores: names and weights.
        other_builds: chromosomes and positions of the rows on other builds, by build and key of the header.
    """

    path: Path
    kind: str
    rows: Rows
    scores: list[Score]
    other_builds: Mapping[tuple[str, str], tuple[Names, np.ndarray]]

    @property
    def has_positions(self) -> bool:
        """Whether any row has a position on the genotypes' build."""
        return bool((self.rows.pos > 0).any())


@dataclass(frozen=True)
class FileHeader:
    """The part of a scoring file before its rows.

    Attributes:
        header: values of the `#key=value` lines.
        columns: column names.
        lines: number of lines before the first row.
        tabs: whether columns are separated by tabs.
    """

    header: Mapping[str, str]
    columns: list[str]
    lines: int
    tabs: bool


def read_scoring_file(path: PathLike, build: str, exclude: Collection[str] = ()) -> ScoringFile:
    """Read a scoring file, gzipped or not, for genotypes whose positions are on `build`.

    PGS Catalog files (format 2.0) are recognised by the column effect_allele. Harmonised positions have priority. A row
    that was not harmonised keeps its own position if `#genome_build` is `build`. Positions on other builds are stored
    in `other_builds`. Dosage weights replace `effect_weight` where they are present. The name of the score is
    `#pgs_id`, else the stem of the file name. Only the header of a file is read if its score is in `exclude`.

    Tables for plink2 --score have a header with an ID, the effect allele (A1), optionally the other allele and the
    position, and one column per score. Without a header, they have three columns: ID, allele, weight. If there are no
    position columns, positions come from IDs such as `chr1:1000:A:G`.

    Raises UserError for haplotypes, diplotypes and interactions, and for malformed files.
    """
    path = require(path, "pgs.scores")
    head = _read_header(path)
    return _read_catalog(path, head, build, exclude) if _is_catalog(head) else _read_table(path, head)


def read_file_header(path: PathLike) -> FileHeader:
    """Read the header of a scoring file. Raises UserError when a required column of the PGS Catalog is missing."""
    path = require(path, "pgs.scores")
    head = _read_header(path)
    if _is_catalog(head):
        _check_columns(path, head.columns)
    return head


def _is_catalog(head: FileHeader) -> bool:
    """Return whether the columns are those of the PGS Catalog."""
    ids = {*TABLE_COLUMNS["id"]} - {"rsid"}  # in the PGS Catalog only rsID is used
    return "effect_allele" in head.columns and not ids & {name.lower() for name in head.columns}


def _read_header(path: Path) -> FileHeader:
    """Read the lines before the rows. As in plink2, the last `#` line can contain the column names."""
    found: dict[str, str] = {}
    commented_columns: list[str] = []
    try:
        with unpacked(path) as handle:
            for number, line_bytes in enumerate(handle):
                line = line_bytes.decode("utf-8-sig", errors="replace").rstrip("\r\n")
                if not line.startswith("#"):
                    tabs = "\t" in line
                    if commented_columns and len(commented_columns) == len(_split(line, tabs)):
                        return FileHeader(found, commented_columns, number, tabs)
                    return FileHeader(found, _split(line, tabs), number + 1, tabs)
                key, separator, value = line.lstrip("#").partition("=")
                if separator:
                    found[key.strip()] = value.strip()
                commented_columns = [] if separator else _split(line.lstrip("#"), "\t" in line)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}). Download it again.") from None
    raise UserError(f"{path} is empty or has only a header. Supply a scoring file of the PGS Catalog.")


def _split(line: str, tabs: bool) -> list[str]:
    """Split a line at tabs, or else at white space."""
    return [name.strip() for name in line.split("\t")] if tabs else line.split()


def _stem(path: Path) -> str:
    """Return the file name without its extensions."""
    return path.name.removesuffix(".gz").removesuffix(".bgz").rsplit(".", 1)[0]


def _read_catalog(path: Path, head: FileHeader, build: str, exclude: Collection[str]) -> ScoringFile:
    """Read a file of the PGS Catalog."""
    name = head.header.get("pgs_id") or _stem(path)
    if name in exclude:
        empty = Names.unknown(0)
        rows = Rows(empty, np.empty(0, np.int64), pa.nulls(0, pa.string()), empty, empty)
        return ScoringFile(path, "PGS Catalog", rows, [Score(name, "", np.empty(0))], {})
    _check_columns(path, head.columns)
    table = Columns(path, head.columns, head.lines, TEXTS, NUMBERS)
    if not len(table):
        raise UserError(f"{path}: the score {name} has no rows. Remove it from pgs.scores.")
    unsupported = np.logical_or.reduce([table.flags(name) for name in COMPLEX])
    if unsupported.any():
        raise UserError(
            f"{path}: the score {name} has {unsupported.sum()} rows of haplotypes, diplotypes or interactions (of "
            f"{len(table)}), which cannot be scored from genotypes of single variants. Add it to pgs.exclude, or "
            "remove it from pgs.scores."
        )
    chrom, pos, other_builds = _read_positions(path, table, head.header, build)
    other = table.names("other_allele", upper=True).filled(table.names("hm_inferOtherAllele", upper=True))
    single = Names(other.codes, ["" if set(text) & set("/,") else text for text in other.values])
    rsid = pa.compute.coalesce(table.text("hm_rsID"), table.text("rsID"))
    rows = Rows(chrom, pos, rsid, table.names("effect_allele", upper=True), single)
    score = Score(name, head.header.get("trait_reported", ""), _weights(path, table))
    return ScoringFile(path, "PGS Catalog", rows, [score], other_builds)


def _check_columns(path: Path, columns: list[str]) -> None:
    """Raise UserError unless the columns of a PGS Catalog file are complete and unique."""
    listed = ", ".join(columns[:12])
    duplicated = sorted({name for name in (*TEXTS, *NUMBERS) if columns.count(name) > 1})
    if duplicated:
        raise UserError(f"{path}: the column {', '.join(duplicated)} is duplicated. Keep one of them.")
    if "effect_weight" not in columns and not set(DOSAGES) <= set(columns):
        raise UserError(f"{path} has no column effect_weight (nor {', '.join(DOSAGES)}). Its columns are {listed}.")
    if not any(set(place) <= set(columns) for place in POSITION_COLUMNS.values()) and not {"rsID", "hm_rsID"} & set(
        columns
    ):
        raise UserError(f"{path} has neither positions (chr_name and chr_position) nor rsID. Its columns are {listed}.")


def _build(header: Mapping[str, str], key: str) -> str | None:
    """Return the build in a header line, as in the config; None if it is missing or unknown."""
    text = header.get(key, "")
    return None if text.lower() in UNKNOWN_BUILD else BUILDS.get(text) or named_build(text) or text


def _read_positions(
    path: Path, table: Columns, header: Mapping[str, str], build: str
) -> tuple[Names, np.ndarray, dict[tuple[str, str], tuple[Names, np.ndarray]]]:
    """Return chromosomes and positions on `build` (empty and -1 if unknown), and those on other builds."""
    chrom, pos = Names.unknown(len(table)), np.full(len(table), -1, np.int64)
    other_builds: dict[tuple[str, str], tuple[Names, np.ndarray]] = {}
    harmonised = all(name in table for name in POSITION_COLUMNS["HmPOS_build"])
    for key, (chrom_column, pos_column) in POSITION_COLUMNS.items():
        if chrom_column not in table or pos_column not in table:
            continue
        header_build = _build(header, key)
        if header_build is None and key == "genome_build" and harmonised:
            continue  # the build of these positions is unknown, that of the harmonised ones is not
        chrom_pos = _chromosomes(table.names(chrom_column)), _positions(path, table, pos_column)
        if header_build is not None and header_build != build:
            other_builds[header_build, key] = chrom_pos
            continue
        if header_build is None:
            log.warning(
                "%s: the header has no build (#%s), so positions are assumed to be on %s", path.name, key, build
            )
        fill = (pos < 0) & (chrom_pos[1] > 0) & ~chrom_pos[0].is_empty()
        pos[fill] = chrom_pos[1][fill]
        chrom = chrom.filled(chrom_pos[0].where(fill))
    return chrom, pos, other_builds


def _chromosomes(names: Names) -> Names:
    """Normalise chromosome names."""
    return Names.of(names.codes, [chromosome(text) if text else "" for text in names.values])


def _positions(path: Path, table: Columns, name: str) -> np.ndarray:
    """Return a column of positions: int64, -1 where it is blank.

    Raises UserError when a position is not an integer.
    """
    values = table.numbers(name)
    present = ~np.isnan(values)
    wrong = present & (values != np.floor(np.where(present, values, 0)))
    if wrong.any():
        raise UserError(
            f"{path}, row {wrong.argmax() + 1} below the header: {name} is not an integer ({values[wrong.argmax()]}; "
            f"{wrong.sum()} such values in total). Fix the file."
        )
    return np.where(present, values, -1).astype(np.int64)


def _weights(path: Path, table: Columns) -> np.ndarray:
    """Return weights: float64 (rows,) per effect allele, or (rows, 3) for 0, 1 and 2 if any row is not additive."""
    weight = table.numbers("effect_weight")
    dominant, recessive = table.flags("is_dominant"), table.flags("is_recessive")
    if (dominant & recessive).any():
        raise UserError(
            f"{path}: {(dominant & recessive).sum()} rows are both is_dominant and is_recessive. Fix the file."
        )
    dosages = np.column_stack([table.numbers(name) for name in DOSAGES])
    has_dosage_weights = ~np.isnan(dosages).all(axis=1)
    if not (dominant.any() or recessive.any() or has_dosage_weights.any()):
        weights = weight
    else:
        weights = weight[:, None] * np.array([0.0, 1.0, 2.0])
        weights[dominant, 2] = weight[dominant]
        weights[recessive, 1:] = np.column_stack([np.zeros(recessive.sum()), weight[recessive]])
        weights[has_dosage_weights] = dosages[has_dosage_weights]
    _require_weights(path, np.isnan(weights.reshape(len(table), -1)).any(axis=1))
    return weights


def _require_weights(path: Path, missing: np.ndarray) -> None:
    """Raise UserError if any weight is missing."""
    if missing.any():
        raise UserError(
            f"{path}, row {missing.argmax() + 1} below the header: the weight is missing ({missing.sum()} such rows in "
            "total). Fix the file."
        )


def _read_table(path: Path, head: FileHeader) -> ScoringFile:
    """Read a table for plink2 --score, with or without a header."""
    lower = [name.lower() for name in head.columns]
    found = {
        role: next((lower.index(name) for name in names if name in lower), None)
        for role, names in TABLE_COLUMNS.items()
    }
    plain = len(lower) == 3 and _is_number(lower[2]) and not _is_number(lower[1])
    listed = ", ".join(head.columns[:12])
    if not plain and (found["effect"] is None or (found["id"] is None and None in (found["chrom"], found["pos"]))):
        raise UserError(
            f"{path} has no column effect_allele. Its columns are {listed}. Supply a scoring file of the PGS Catalog, "
            "or a table with the columns ID, A1 and one column per score."
        )
    columns, lines = ([*head.columns], head.lines)
    if plain:
        columns, lines, found = (
            ["ID", "A1", _stem(path)],
            head.lines - 1,
            {**dict.fromkeys(TABLE_COLUMNS), "id": 0, "effect": 1},
        )
    weights = [number for number in range(len(columns)) if number not in found.values()]
    names = [columns[number] for number in weights]
    if not names or len(set(columns)) < len(columns):
        what = "no column of weights" if not names else "a duplicated column"
        raise UserError(f"{path} has {what}. Its columns are {listed}.")
    numbers = [*names, *([columns[found["pos"]]] if found["pos"] is not None else [])]
    texts = [columns[found[role]] for role in ("id", "effect", "other", "chrom") if found[role] is not None]
    table = (
        Columns(path, columns, lines, texts, numbers)
        if head.tabs
        else _read_spaced(path, columns, lines, texts, numbers)
    )
    if not len(table):
        raise UserError(f"{path} has no rows. Remove it from pgs.scores.")
    role = {key: columns[place] if place is not None else "" for key, place in found.items()}
    effect, other = (table.names(role[key], upper=True) for key in ("effect", "other"))
    ids = table.text(role["id"])
    if found["chrom"] is not None and found["pos"] is not None:
        chrom, pos = _chromosomes(table.names(role["chrom"])), _positions(path, table, role["pos"])
    else:
        chrom, pos, other = _parse_ids(ids, effect, other)
    score_names = [_stem(path)] if len(names) == 1 and names[0].lower() in UNNAMED else names
    scores = []
    for name, column in zip(score_names, names, strict=True):
        values = table.numbers(column)
        _require_weights(path, np.isnan(values))
        scores.append(Score(name, "", values))
    rows = Rows(chrom, pos, ids, effect, other)
    return ScoringFile(path, "plain" if plain else "table", rows, scores, {})


def _read_spaced(path: Path, columns: list[str], lines: int, texts: list[str], numbers: list[str]) -> Columns:
    """Read a table separated by white space, after replacing the separators by tabs."""
    with unpacked(path) as handle:
        body = b"\n".join(b"\t".join(line.split()) for line in islice(handle, lines, None) if line.strip())
    return Columns(path, columns, 0, texts, numbers, body)


def _parse_ids(ids: pa.Array, effect: Names, other: Names) -> tuple[Names, np.ndarray, Names]:
    """Return chromosomes, positions and other alleles from IDs such as `chr1:1000:A:G`."""
    chroms, others, pos = [], [], np.full(len(ids), -1, np.int64)
    if not any(VARIANT_ID.fullmatch(text or "") for text in ids[:100].to_pylist()):
        return Names.unknown(len(ids)), pos, other
    effect_alleles = effect.tolist()
    for number, text in enumerate(ids.to_pylist()):
        place = VARIANT_ID.fullmatch(text or "")
        alleles = {allele.upper() for allele in place.groups()[2:] if allele} if place else set()
        other_alleles = alleles - {effect_alleles[number]}
        chroms.append(chromosome(place[1]) if place else "")
        others.append(other_alleles.pop() if len(other_alleles) == 1 else "")
        if place:
            pos[number] = int(place[2])
    all_rows = np.arange(len(ids), dtype=np.int32)
    return Names.of(all_rows, chroms), pos, other.filled(Names.of(all_rows, others))


def _is_number(text: str) -> bool:
    """Return whether a text is a number or a missing value."""
    try:
        float(text)
    except ValueError:
        return text in BLANK
    return True
