"""Input of munge_sumstats.py for LD score regression (Bulik-Sullivan et al. 2015, Nat Genet 47:291)."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contigwas.export.alleles import no_id, not_snp
from contigwas.export.folder import Form, write_folder
from contigwas.export.results import leave_out, select_results, with_result
from contigwas.export.text import number, p_value, text
from contigwas.runtime.atomic_files import PathLike

COLUMNS = ["SNP", "A1", "A2", "N", "Z", "P"]
MAX_LOG10P = 300.0  # munge_sumstats.py drops variants whose P is read as 0
REASONS = {
    "that are not SNPs": not_snp,
    "without an identifier": no_id,
    "with a standard error of 0": lambda frame: (frame["se"] == 0).to_numpy(),
}


def write_ldsc(
    gwas: Mapping[str, PathLike], settings: Mapping[str, object], output: PathLike, threads: int = 1
) -> None:
    """Write `<feature>.sumstats.gz` to the folder `output`: A1 is the effect allele, Z = beta / se, P >= 1e-300.

    `gwas` maps chromosomes to the Parquet files of the GWAS. `settings`: features (None: all). Tests over features are
    skipped, because they have no direction. Strand-ambiguous SNPs and duplicate identifiers are not filtered, because
    munge_sumstats.py does it. `threads` features are written at a time. Raises UserError for a feature that the GWAS
    does not have.
    """
    results = select_results(gwas, settings["features"], "LDSC input")
    write_folder(gwas, results, lambda result: Form(".sumstats.gz", COLUMNS, _rows), output, threads=threads)


def _rows(frame: pd.DataFrame, counts: Counter) -> dict[str, pa.Array]:
    """Return the text columns of a frame."""
    frame = leave_out(with_result(frame, counts), REASONS, counts)
    beta, se, log10p = (frame[name].to_numpy(np.float64) for name in ("beta", "se", "log10p"))
    return {
        "SNP": text(frame["id"]),
        "A1": pc.utf8_upper(text(frame["effect_allele"])),
        "A2": pc.utf8_upper(text(frame["other_allele"])),
        "N": number(frame["n"].to_numpy()),
        "Z": number((beta / se).astype(np.float32)),
        "P": p_value(np.minimum(log10p, MAX_LOG10P)),
    }
