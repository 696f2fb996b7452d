"""Results in the text format of plink2 --glm."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from contigwas.export.folder import Form, write_folder
from contigwas.export.results import Result, select_results, stored, with_result
from contigwas.export.text import number, p_value, text
from contigwas.runtime.atomic_files import PathLike

VARIANT = ["#CHROM", "POS", "ID", "REF", "ALT", "A1", "A1_FREQ", "TEST", "OBS_CT"]


def write_plink2(
    gwas: Mapping[str, PathLike], settings: Mapping[str, object], output: PathLike, threads: int = 1
) -> None:
    """Write `<feature>.glm.linear.gz` and `<test>.omnibus.gz` to the folder `output`.

    `gwas` maps chromosomes to the Parquet files of the GWAS. `settings`: features (features and tests; None: all) and
    log10_p (write LOG10_P instead of P, like the modifier log10 of plink2; a test over features has both columns). A1
    and ALT are the effect allele and REF is the other one, because PLINK 1 files do not store which is the reference
    allele. A variant that was not tested keeps its row, with NA and the flag of the GWAS as ERRCODE. A variant whose
    result was not stored is left out, as with --pfilter of plink2. `threads` results are written at a time. Raises
    UserError for a feature that the GWAS does not have.
    """
    p_column = "LOG10_P" if settings["log10_p"] else "P"

    def form(result: Result) -> Form:
        kinds = ["P", "LOG10_P"] if result.omnibus else ["BETA", "SE", "T_STAT", p_column]
        suffix, test = (".omnibus.gz", result.name.upper()) if result.omnibus else (".glm.linear.gz", "ADD")
        return Form(suffix, [*VARIANT, *kinds, "ERRCODE"], lambda frame, counts: _rows(frame, counts, test))

    write_folder(gwas, select_results(gwas, settings["features"]), form, output, threads=threads)


def _rows(frame: pd.DataFrame, counts: Counter, test: str) -> dict[str, pa.Array]:
    """Return all columns that a file may have, as text."""
    unstored = ~stored(frame) & (frame["flag"] == "").to_numpy()
    with_result(frame[unstored], counts)
    frame = frame[~unstored]
    other, effect = (text(frame[name]) for name in ("other_allele", "effect_allele"))
    flags = frame["flag"].to_numpy()
    columns = {
        "#CHROM": text(frame["chrom"]),
        "POS": number(frame["pos"].to_numpy()),
        "ID": text(frame["id"]),
        "REF": other,
        "ALT": effect,
        "A1": effect,
        "A1_FREQ": number(frame["eaf"].to_numpy()),
        "TEST": pa.array([test] * len(frame), pa.string()),
        "OBS_CT": number(frame["n"].to_numpy()),
        "LOG10_P": number(frame["log10p"].to_numpy()),
        "P": p_value(frame["log10p"].to_numpy()),
        "ERRCODE": pa.array(np.where(flags == "", ".", flags).astype(object), pa.string()),
    }
    if "beta" in frame:
        beta, se = (frame[name].to_numpy(np.float64) for name in ("beta", "se"))
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["T_STAT"] = number((beta / se).astype(np.float32))
        columns["BETA"], columns["SE"] = (number(frame[name].to_numpy()) for name in ("beta", "se"))
    return columns
