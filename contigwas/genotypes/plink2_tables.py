"""PLINK 2's tables of samples and variants: .psam and .pvar."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import zstandard

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import require

SEXES = {"1": 1, "m": 1, "male": 1, "2": 2, "f": 2, "female": 2}
PSAM = ["FID", "IID", "PAT", "MAT", "SEX"]  # the columns of a .psam without a header, as in a .fam
PVAR = {5: ["CHROM", "ID", "POS", "ALT", "REF"], 6: ["CHROM", "ID", "CM", "POS", "ALT", "REF"]}  # as in a .bim
POSITIONS = 2**31


def read_psam(path: PathLike) -> pd.DataFrame:
    """Samples of a .psam file in file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Without a column FID the fid is the IID. Raises UserError when the file is missing or malformed, or names a sample
    twice.
    """
    path = require(path, "the .psam file beside the .pgen")
    table = _read(path, lambda width: PSAM[:width] + [f"PHENO{number}" for number in range(1, width - 4)], ["IID"])
    samples = pd.DataFrame({"fid": table["FID"] if "FID" in table else table["IID"], "iid": table["IID"]})
    samples["sex"] = sexes(table["SEX"]) if "SEX" in table else np.int8(0)
    require_unique(samples["iid"], path)
    return samples


def read_pvar(path: PathLike) -> pd.DataFrame:
    """Variants of a .pvar or .pvar.zst file in file order.

    `chrom`, `id`, `pos` (int32, base pairs), `effect_allele` (ALT), `other_allele` (REF) and `alternate_alleles`, how
    many ALT lists. Raises UserError when the file is missing or malformed.
    """
    path = require(path, "the .pvar file beside the .pgen")
    wanted = ["CHROM", "POS", "ID", "REF", "ALT"]
    table = _read(path, lambda width: PVAR.get(width, []), wanted)
    positions = pd.to_numeric(table["POS"], errors="coerce")
    wrong = np.flatnonzero(~(positions.abs() < POSITIONS).to_numpy() | (positions % 1 != 0).to_numpy())
    if wrong.size:
        raise UserError(f"{path}: POS of the variant {wrong[0] + 1} is not a position in base pairs: fix the .pvar")
    names = {name: chromosome(name) for name in table["CHROM"].unique()}
    return pd.DataFrame(
        {
            "chrom": table["CHROM"].map(names),
            "id": table["ID"],
            "pos": positions.astype(np.int32),
            "effect_allele": table["ALT"].str.upper(),
            "other_allele": table["REF"].str.upper(),
            "alternate_alleles": table["ALT"].str.count(",").astype(np.int32) + 1,
        }
    )


def sexes(column: pd.Series) -> pd.Series:
    """1 male, 2 female, 0 unknown from what the files of genotypes write: 1 or M, 2 or F, anything else. int8."""
    return column.str.lower().map(SEXES).fillna(0).astype(np.int8)


def _read(path: Path, without_header, wanted: list[str]) -> pd.DataFrame:
    """The columns of a table after its `##` lines as strings, those of `wanted` at least.

    The header starts with `#`; without one, `without_header` names the columns of a table of that width.
    """
    try:
        with _text(path) as file:
            skipped, first = 0, file.readline()
            while first.startswith("##"):
                skipped, first = skipped + 1, file.readline()
    except zstandard.ZstdError:
        raise UserError(f"{path} is not zstd-compressed text, or is cut short: copy it again") from None
    if not first.strip():
        raise UserError(f"{path} is empty: a header and a line for each entry are expected")
    headed = first.startswith("#")
    names = first.lstrip("#").split() if headed else without_header(len(first.split()))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}: write it again with plink2 --make-pgen")
    used = [name for name in dict.fromkeys(names) if name in {*wanted, "FID", "SEX"}]
    try:
        with _text(path) as file:
            table = pd.read_csv(
                file, sep=r"\s+", header=None, names=names, usecols=used, skiprows=skipped + headed, dtype=str,
                na_filter=False, quoting=3, index_col=False,
            )  # fmt: skip
    except zstandard.ZstdError:
        raise UserError(f"{path} is not zstd-compressed text, or is cut short: copy it again") from None
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a regular table ({reason}): fix that line") from None
    short = np.flatnonzero((table == "").any(axis=1).to_numpy())
    if short.size:
        raise UserError(f"{path}: line {skipped + headed + short[0] + 1} has fewer columns than the header: fix it")
    return table


def _text(path: Path) -> io.TextIOBase:
    if path.suffix == ".zst":
        unpacked = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
        return io.TextIOWrapper(unpacked, "utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")
