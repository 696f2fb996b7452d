"""GWAS-SSF (v1.0), the standard format of the GWAS Catalog: a table and its metadata for every feature.

Hayhurst et al. 2022, doi:10.1101/2022.07.15.500230. The order and the values of the columns follow gwas-ssf_v1.1.0 in
the repository gwas-summary-statistics-standard of the GWAS Catalog.
"""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from contigwas import __version__
from contigwas.export.alleles import no_position, not_nucleotides
from contigwas.export.folder import Form, Written, write_folder
from contigwas.export.results import GENOME, Result, along_genome, leave_out, select_results, with_result
from contigwas.export.text import number, text
from contigwas.loci.gwas_file import names, notes
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
COLUMNS = [
    *("chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error"),
    *("effect_allele_frequency", "neg_log_10_p_value", "rsid", "n"),
]
MISSING = "#NA"
MIN_LOG10P = np.float32(1e-8)  # the validator of the GWAS Catalog rejects 0; in float32 this p is equal to 1
REASONS = {
    "with alleles other than A, C, G and T": not_nucleotides,
    "without a position": no_position,
    "without an allele frequency": lambda frame: frame["eaf"].isna().to_numpy(),
    "on a chromosome that the standard does not name": lambda frame: ~frame["chrom"].isin(list(GENOME)).to_numpy(),
}
AUTOSOMES = {str(number) for number in range(1, 23)}
REQUIRED = ("genotyping_technology", "sample_ancestry_category")  # mandatory metadata that only the user knows
SAMPLE = ("sample_ancestry_category", "sample_ancestry", "ancestry_method")
STUDY = ("genotyping_technology", "imputation_panel", "imputation_software")


def write_gwas_ssf(
    gwas: Mapping[str, PathLike], model: str, settings: Mapping[str, object], output: PathLike, threads: int = 1
) -> None:
    """Write `<feature>.tsv.gz` and `<feature>.tsv.gz-meta.yaml` for the features of `model` to the folder `output`.

    `gwas` maps chromosomes to the Parquet files of the GWAS. `settings`: features (None: all), build, and the keys of
    export.metadata, which are copied to the YAML file. Tests over features are skipped, because the standard requires
    an effect size. The p-value is written as -log10 p, so that it does not underflow. Rows that the standard cannot
    express are left out and counted. The date is that of SOURCE_DATE_EPOCH, else of the newest GWAS file, so that a
    rerun writes the same files. `threads` features are written at a time. Raises UserError for a feature that the GWAS
    does not have.
    """
    results = select_results(gwas, settings["features"], "GWAS-SSF file")
    _log_missing_metadata(gwas, settings)
    sizes, day = notes(along_genome(gwas)[0]), _day(gwas)

    def finish(result: Result, written: Written) -> None:
        has_own_n = f"n_{result.name}" in names(along_genome(gwas)[0])
        samples = written.max_n if has_own_n else sizes.get("n_samples", written.max_n)
        described = _metadata(result, written.path, model, samples, sizes.get("covariates", []), day, settings)
        written.path.with_name(f"{written.path.name}-meta.yaml").write_text(described, encoding="utf-8")

    write_folder(gwas, results, lambda result: Form(".tsv.gz", COLUMNS, _rows), output, finish, threads)


def _log_missing_metadata(gwas: Mapping[str, PathLike], settings: Mapping[str, object]) -> None:
    """Log a warning for mandatory metadata and chromosomes that are missing."""
    missing = [name for name in REQUIRED if not settings.get(name)]
    if missing:
        log.warning("the GWAS Catalog requires %s: add this to export.metadata", " and ".join(missing))
    if AUTOSOMES - set(gwas) and set(gwas) != {"X"}:
        log.warning("the validator of the GWAS Catalog requires all autosomes (or X alone), but these files have %d "
                    "chromosomes", len(gwas))  # fmt: skip


def _rows(frame: pd.DataFrame, counts: Counter) -> dict[str, pa.Array]:
    """Return the text columns of a frame."""
    frame = leave_out(with_result(frame, counts), REASONS, counts)
    ids = text(frame["id"])
    return {
        "chromosome": number(frame["chrom"].map(GENOME).to_numpy(np.int64)),
        "base_pair_location": number(frame["pos"].to_numpy()),
        "effect_allele": pc.utf8_upper(text(frame["effect_allele"])),
        "other_allele": pc.utf8_upper(text(frame["other_allele"])),
        "beta": number(frame["beta"].to_numpy()),
        "standard_error": number(frame["se"].to_numpy()),
        "effect_allele_frequency": number(frame["eaf"].to_numpy()),
        "neg_log_10_p_value": number(np.maximum(frame["log10p"].to_numpy(), MIN_LOG10P)),
        "rsid": pc.if_else(pc.match_substring_regex(ids, "^rs[0-9]+$"), ids, MISSING),
        "n": number(frame["n"].to_numpy(), MISSING),
    }


def _metadata(
    result: Result,
    path: Path,
    model: str,
    samples: object,
    covariates: object,
    day: date,
    settings: Mapping[str, object],
) -> str:
    """Return the metadata of a table as YAML, in the order of the GWAS Catalog's examples, without empty fields."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    fields = {
        "author_notes": settings.get("author_notes"),
        "date_metadata_last_modified": day,
        "trait_description": [f"{result.name} (feature of the model {model})"],
        "genome_assembly": settings["build"],
        "coordinate_system": "1-based",
        **{name: settings.get(name) or None for name in STUDY},
        "samples": [{**{name: settings[name] for name in SAMPLE if settings.get(name)}, "sample_size": samples}],
        "sex": settings.get("sex"),
        "data_file_name": path.name,
        "file_type": "GWAS-SSF v1.0",
        "data_file_md5sum": digest.hexdigest(),
        "analysis_software": f"contigwas {__version__}",
        "adjusted_covariates": covariates or None,
        "is_harmonised": False,
        "is_sorted": True,
    }
    filled = {name: value for name, value in fields.items() if value is not None}
    return yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=1000)


def _day(gwas: Mapping[str, PathLike]) -> date:
    """Return the date (UTC) of SOURCE_DATE_EPOCH if it is set, else of the newest GWAS file."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(given) if given.isdigit() else max(Path(path).stat().st_mtime for path in gwas.values())
    return datetime.fromtimestamp(seconds, UTC).date()
