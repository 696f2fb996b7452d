"""Replicate the loci of a discovery GWAS in a second cohort: same variant, same feature, direction of effect."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.loci.gwas_file import features, read_columns, read_rows
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
LEAD = ["locus", "chrom", "pos", "lead_id", "effect_allele", "other_allele", "best_feature", "test"]
STATISTICS = ["log10p", "beta", "se"]
REPLICATION = ["id", "eaf", "n", "beta", "se", "log10p", "test", "test_log10p", "same_direction", "reason"]
COLUMNS = [*LEAD[:-1], *(f"discovery_{name}" for name in ("test", *STATISTICS)), *REPLICATION]
NOMINAL = -np.log10(0.05)


def write_replication(loci: PathLike, gwas: Mapping[str, PathLike], test: str, output: PathLike) -> None:
    """Write replication.tsv (columns `COLUMNS`), one row per locus of `loci`, the loci.tsv of the discovery.

    `gwas` maps chromosomes to the GWAS files of the second cohort, which tested the same features. Lead variants are
    matched by chromosome, position and both alleles. For swapped alleles, beta and eaf refer to the discovery's effect
    allele. discovery_log10p is of discovery_test; beta, se, log10p and n are of best_feature, and test_log10p is of
    `test` in the second cohort. same_direction is 1 or 0. Missing values are NA, with the reason in `reason`.
    """
    lead_variants = read_table(loci, [*LEAD, *STATISTICS], "the loci of the discovery")
    for name in ("effect_allele", "other_allele", "best_feature", "test"):
        lead_variants[name] = lead_variants[name].astype(str)
    rows = []
    for chrom, some in lead_variants.groupby("chrom", sort=False):
        path = gwas.get(str(chrom))
        variants = None if path is None else read_columns(path, ["pos", "effect_allele", "other_allele"])
        rows += [_row(lead, path, variants, test) for lead in some.to_dict("records")]
    table = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("n", "same_direction"):
        table[name] = table[name].astype("Int64")
    write_tsv(table, output)
    found = table["same_direction"].notna()
    same = (table["same_direction"] == 1).fillna(value=False).to_numpy(bool)
    log.info(
        "%d of %d loci were tested: %d have the same direction, %d of these with p <= 0.05",
        int(found.sum()),
        len(table),
        int(same.sum()),
        int((same & (table["log10p"].to_numpy(float) >= NOMINAL)).sum()),
    )
    for reason, count in table.loc[~found, "reason"].value_counts().items():
        log.warning("%d loci: %s", count, reason)


def _row(
    lead: Mapping[str, object], path: PathLike | None, variants: pd.DataFrame | None, test: str
) -> dict[str, object]:
    """Return the row of one lead variant; `variants` are those of its chromosome in the GWAS file `path`."""
    row = {name: lead[name] for name in LEAD[:-1]}
    row |= {f"discovery_{name}": lead[name] for name in ("test", *STATISTICS)}
    row |= {"test": test, "reason": ""}
    if path is None or variants is None:
        return row | {"reason": "chromosome not analysed"}
    index, swapped, reason = _find(variants, lead)
    if reason:
        return row | {"reason": reason}
    feature = lead["best_feature"]
    wanted = ["id", "flag", "eaf", "n", f"n_{feature}", f"log10p_{test}"]
    found = read_rows(path, np.array([index]), [*wanted, *(f"{name}_{feature}" for name in STATISTICS)]).iloc[0]
    row |= {"id": found["id"], "eaf": 1 - found["eaf"] if swapped else found["eaf"]}
    row |= {"n": found.get(f"n_{feature}", found["n"]), "test_log10p": found.get(f"log10p_{test}", np.nan)}
    row |= {name: found.get(f"{name}_{feature}", np.nan) for name in STATISTICS}
    if swapped:
        row["beta"] = -row["beta"]
    if feature not in features(path):
        return row | {"reason": f"feature {feature} not tested"}
    if found["flag"]:
        return row | {"reason": found["flag"]}
    if np.isnan(row["beta"]):
        return row | {"reason": "effect not kept (gwas.columns, gwas.max_p)"}
    row["same_direction"] = int(np.sign(row["beta"]) == np.sign(float(lead["beta"])))
    return {name: _rounded(value) for name, value in row.items()}


def _find(variants: pd.DataFrame, lead: Mapping[str, object]) -> tuple[int, bool, str]:
    """Return the row of a lead variant, whether its alleles are swapped, and the reason if it is not found."""
    at_position = variants[variants["pos"] == int(lead["pos"])]
    if not len(at_position):
        return -1, False, "variant absent"
    alleles = list(zip(at_position["effect_allele"], at_position["other_allele"], strict=True))
    wanted = lead["effect_allele"], lead["other_allele"]
    for swapped, pair in ((False, wanted), (True, wanted[::-1])):
        if pair in alleles:
            return int(at_position.index[alleles.index(pair)]), swapped, ""
    return -1, False, "other alleles at the position"


def _rounded(value: object) -> object:
    """Round numbers to six significant digits, as in loci.tsv."""
    return float(f"{value:.6g}") if isinstance(value, float | np.floating) else value
