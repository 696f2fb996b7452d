"""Read scoring files of the PGS Catalog (format 2.0, harmonised or not)."""

import gzip
import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.names import chromosome

log = logging.getLogger(__name__)

COMPLEX = ("is_haplotype", "is_diplotype", "is_interaction")
DOSAGES = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
PLACES = (("hm_chr", "hm_pos"), ("chr_name", "chr_position"))
KNOWN = (
    "rsID", "hm_rsID", "effect_allele", "other_allele", "hm_inferOtherAllele", "effect_weight",
    "is_dominant", "is_recessive", *COMPLEX, *DOSAGES, *PLACES[0], *PLACES[1],
)  # fmt: skip
BUILDS = {"grch37": "GRCh37", "hg19": "GRCh37", "b37": "GRCh37", "37": "GRCh37",
          "grch38": "GRCh38", "hg38": "GRCh38", "b38": "GRCh38", "38": "GRCh38"}  # fmt: skip
UNKNOWN_BUILD = {"", "nr", "na", "none", "unknown"}
BLANK = ("", "NA", "NaN", "nan", "None", ".")


@dataclass(frozen=True)
class ScoringFile:
    """One score.

    rows: DataFrame, file order: `chrom` (str, empty if unknown), `pos` (int64, -1 if unknown), `rsid`,
    `effect_allele`, `other_allele` (upper case, empty if unknown), and `w0 w1 w2` (float64), the weights that a
    person with 0, 1 or 2 effect alleles gets.
    """

    name: str
    trait: str
    rows: pd.DataFrame


def read_scoring_file(path: PathLike, build: str) -> ScoringFile:
    """Read a scoring file, gzipped or not, whose positions must be on `build`.

    Harmonised columns come first; a row that was not harmonised keeps its own position where `#genome_build` is
    `build`, and otherwise only its rsID. The name is `#pgs_id`, else the file's stem. A dosage weight column replaces
    `effect_weight` where it is filled. Raises UserError for another build, haplotype, diplotype and interaction rows,
    and malformed files.
    """
    path = require(path, "pgs.scores")
    header, columns, lines = _header(path)
    name = header.get("pgs_id") or path.name.removesuffix(".gz").rsplit(".", 1)[0]
    _check_columns(path, columns)
    table = _read(path, [one for one in KNOWN if one in columns], lines)
    if table.empty:
        raise UserError(f"{path}: the score {name} has no row below its header: take it out of pgs.scores")
    refused = np.logical_or.reduce([_flag(table, one) for one in COMPLEX])
    if refused.any():
        raise UserError(
            f"{path}: the score {name} has {refused.sum()} rows of haplotypes, diplotypes or interactions (of "
            f"{len(table)}), which cannot be scored from genotypes of single variants: take it out of pgs.scores"
        )
    rows = _positions(path, table, header, build)
    rows["rsid"] = _first(table, "hm_rsID", "rsID")
    rows["effect_allele"] = table["effect_allele"].str.upper()
    rows["other_allele"] = _other_allele(table)
    rows[["w0", "w1", "w2"]] = _weights(path, table)
    return ScoringFile(name, header.get("trait_reported", ""), rows)


def _header(path: Path) -> tuple[dict[str, str], list[str], int]:
    """The `#key=value` lines, the names of the columns, and the number of lines above the names."""
    found: dict[str, str] = {}
    try:
        with _opened(path) as handle:
            for number, raw in enumerate(handle):
                line = raw.decode("utf-8-sig", errors="replace").rstrip("\r\n")
                if not line.startswith("#"):
                    return found, [one.strip() for one in line.split("\t")], number
                key, separator, value = line.lstrip("#").partition("=")
                if separator:
                    found[key.strip()] = value.strip()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): download it again") from None
    raise UserError(f"{path} is empty or has only a header: a PGS Catalog scoring file is expected")


def _opened(path: Path):
    """The bytes of a file, decompressed if it is gzipped, whatever its name says."""
    with path.open("rb") as handle:
        zipped = handle.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")


def _check_columns(path: Path, columns: list[str]) -> None:
    seen = ", ".join(columns[:12])
    if "effect_allele" not in columns:
        raise UserError(
            f"{path} has no column effect_allele: its header names {seen}; bring a scoring file of the PGS Catalog"
        )
    twice = sorted({one for one in KNOWN if columns.count(one) > 1})
    if twice:
        raise UserError(f"{path} has the column {', '.join(twice)} more than once: keep one of them")
    if "effect_weight" not in columns and not set(DOSAGES) <= set(columns):
        raise UserError(f"{path} has no column effect_weight (nor {', '.join(DOSAGES)}): its header names {seen}")
    if not any(set(place) <= set(columns) for place in PLACES) and not {"rsID", "hm_rsID"} & set(columns):
        raise UserError(f"{path} has neither positions (chr_name and chr_position) nor rsID: its header names {seen}")


def _read(path: Path, columns: list[str], lines: int) -> pd.DataFrame:
    """The named columns as stripped strings; every kind of missing value is an empty string."""
    try:
        with _opened(path) as handle:
            table = pyarrow.csv.read_csv(
                handle,
                read_options=pyarrow.csv.ReadOptions(skip_rows=lines, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
                ),
            )
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"{path} is not a tab-separated table ({reason}): download it again") from None
    found = {}
    for name in columns:
        values = pa.compute.utf8_trim_whitespace(table[name])
        found[name] = pa.compute.if_else(pa.compute.is_in(values, pa.array(BLANK)), "", values).to_pandas()
    return pd.DataFrame(found)


def _first(table: pd.DataFrame, *names: str) -> pd.Series:
    """The first of the named columns that is filled, row by row."""
    found = pd.Series("", index=table.index, dtype=object)
    for name in reversed(names):
        if name in table.columns:
            found = table[name].where(table[name] != "", found)
    return found


def _flag(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table.columns:
        return np.zeros(len(table), dtype=bool)
    return table[name].str.lower().isin(["true", "t", "1", "yes"]).to_numpy()


def _build(header: dict[str, str], key: str) -> str | None:
    """The build that a header line names, in the words of the config; None where it names none."""
    text = header.get(key, "")
    return None if text.lower() in UNKNOWN_BUILD else BUILDS.get(text.lower(), text)


def _positions(path: Path, table: pd.DataFrame, header: dict[str, str], build: str) -> pd.DataFrame:
    """`chrom` and `pos` of every row on `build`, empty and -1 where there is none."""
    own, harmonised = _build(header, "genome_build"), _build(header, "HmPOS_build")
    is_harmonised = set(PLACES[0]) <= set(table.columns)
    key, found = ("HmPOS_build", harmonised) if is_harmonised else ("genome_build", own)
    has_place = any(set(place) <= set(table.columns) for place in PLACES)
    if has_place and found is not None and found != build:
        raise UserError(
            f"{path} has positions on {found} (#{key}) but genotypes.build is {build}: download the file that the "
            f"PGS Catalog harmonised to {build}"
        )
    if has_place and found is None:
        log.warning("%s does not name its build (#%s): its positions are taken as %s", path.name, key, build)
    chrom = pd.Series("", index=table.index, dtype=object)
    pos = pd.Series(-1, index=table.index, dtype=np.int64)
    usable = [PLACES[0]] if is_harmonised else []
    if not is_harmonised or own == build:
        usable.append(PLACES[1])
    for place in usable:
        if set(place) <= set(table.columns):
            numbers = _numbers(path, table, place[1])
            fill = ((pos < 0) & numbers.notna() & (table[place[0]] != "")).to_numpy()
            chrom[fill] = table[place[0]][fill]
            pos[fill] = numbers[fill].astype(np.int64)
    names = {name: chromosome(name) if name else "" for name in chrom.unique()}
    return pd.DataFrame({"chrom": chrom.map(names), "pos": pos})


def _numbers(path: Path, table: pd.DataFrame, name: str) -> pd.Series:
    """A column of numbers, NaN where it is empty; UserError where it is something else."""
    text = table[name]
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = np.flatnonzero(((text != "") & ~np.isfinite(numbers)).to_numpy())
    if wrong.size:
        raise UserError(
            f"{path}: {wrong.size} values of {name} are no numbers (the first, in row {wrong[0] + 1} below the header, "
            f"is {text.iat[wrong[0]][:40]!r}): mend the file"
        )
    return numbers


def _other_allele(table: pd.DataFrame) -> pd.Series:
    """The other allele, upper case; empty where the file has none or several."""
    found = _first(table, "other_allele", "hm_inferOtherAllele").str.upper()
    return found.mask(found.str.contains("[/,]", regex=True), "")


def _weights(path: Path, table: pd.DataFrame) -> np.ndarray:
    """Weights for 0, 1 and 2 effect alleles: float64 (rows, 3)."""
    empty = pd.Series(np.nan, index=table.index)
    weight = _numbers(path, table, "effect_weight") if "effect_weight" in table.columns else empty
    dominant, recessive = _flag(table, "is_dominant"), _flag(table, "is_recessive")
    if (dominant & recessive).any():
        raise UserError(
            f"{path}: {(dominant & recessive).sum()} rows are both is_dominant and is_recessive: mend the file"
        )
    weights = weight.to_numpy()[:, None] * np.array([0.0, 1.0, 2.0])
    weights[dominant, 2] = weight[dominant]
    weights[recessive, 1:] = np.column_stack([np.zeros(recessive.sum()), weight[recessive]])
    given = [one for one in DOSAGES if one in table.columns]
    if given:
        dosages = np.column_stack([_numbers(path, table, one) if one in given else empty for one in DOSAGES])
        some = ~np.isnan(dosages).all(axis=1)
        weights[some] = dosages[some]
    absent = np.flatnonzero(np.isnan(weights).any(axis=1))
    if absent.size:
        raise UserError(
            f"{path}: {absent.size} rows have no weight (the first is row {absent[0] + 1} below the header): "
            "mend the file"
        )
    return weights
