"""The table of loci: one row a clump, with the feature that the lead variant moves most and the genes there."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.errors import UserError
from contigwas.files import PathLike, read_table, write_tsv
from contigwas.genotypes.reader import Bed, open_bed
from contigwas.loci.clump import Clump, Thresholds, clump
from contigwas.loci.genes import genes_of, read_genes
from contigwas.loci.gwas_file import features, read_columns, read_rows
from contigwas.loci.ld import Linkage
from contigwas.people import require_overlap, rows_of

log = logging.getLogger(__name__)
VARIANT = ["pos", "id", "effect_allele", "other_allele"]
COLUMNS = [
    *("locus", "chrom", "start", "end", "lead_id", "pos", "effect_allele", "other_allele", "eaf", "n", "test"),
    *("log10p", "best_feature", "beta", "se", "n_variants", "genes"),
]


def write_loci(
    gwas: Mapping[str, PathLike],
    pattern: str,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write loci.tsv (columns `COLUMNS`): a header only when no variant reaches p1.

    `gwas` maps chromosomes to the Parquet files of the GWAS, `pattern` names the .bed files that it tested; linkage
    is measured over the people of `cohort` with in_gwas = 1. `settings`: test p1 p2 r2 kb genes (a path or None).
    start and end span the lead and all variants it claimed, n_variants counts them; best_feature has the smallest p
    at the lead; beta and se are its. Loci are numbered along the genome. Raises UserError for thresholds that make no
    sense, and for files that do not belong together.
    """
    thresholds = Thresholds(**{name: settings[name] for name in ("p1", "p2", "r2", "kb")})
    genes = read_genes(settings["genes"]) if settings.get("genes") else None
    founders = _founders(cohort)
    tables = [
        _loci_of(str(chrom), path, pattern, founders, (cohort, settings["test"]), thresholds)
        for chrom, path in tqdm(gwas.items(), "loci", disable=None)
    ]
    found = [table for table in tables if len(table)]
    loci = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)
    loci["locus"] = np.arange(1, len(loci) + 1)
    loci["genes"] = [
        "" if genes is None else genes_of(genes, chrom, start, end, pos)
        for chrom, start, end, pos in loci[["chrom", "start", "end", "pos"]].itertuples(index=False)
    ]
    for name in ("eaf", "log10p", "beta", "se"):
        loci[name] = [float(f"{value:.6g}") for value in loci[name]]
    write_tsv(loci[COLUMNS], output)
    log.info("%d loci at p <= %g of %s", len(loci), thresholds.p1, settings["test"])


def _founders(cohort: PathLike) -> pd.Index:
    people = read_table(cohort, ["iid", "in_gwas"], "the cohort")
    return pd.Index(people.loc[people["in_gwas"] == 1, "iid"])


def _loci_of(
    chrom: str,
    path: PathLike,
    pattern: str,
    founders: pd.Index,
    named: tuple[PathLike, str],
    thresholds: Thresholds,
) -> pd.DataFrame:
    """The loci of one chromosome in order of position, without number and genes. `named`: the cohort's path, the test.

    The genotypes are opened only if a variant is significant.
    """
    cohort, test = named
    tested = read_columns(path, [*VARIANT, f"log10p_{test}"]).rename(columns={f"log10p_{test}": "log10p"})
    values = tested["log10p"].to_numpy()
    log.info("chromosome %s: %d variants, %d without a p-value", chrom, len(values), int(np.isnan(values).sum()))
    if not (values >= values.dtype.type(-np.log10(thresholds.p1))).any():
        return pd.DataFrame(columns=COLUMNS)
    bed = open_bed(pattern, chrom)
    rows = _match(tested, bed, path)
    people = rows_of(founders, bed.people["iid"])
    require_overlap(founders, bed.people["iid"], f"the tested people of {cohort}", str(bed.path))
    if (people < 0).any():
        log.warning("chromosome %s: %d tested people are not in the genotypes", chrom, int((people < 0).sum()))
    linkage = Linkage(bed, rows, np.sort(people[people >= 0]))
    clumps = clump(values, tested["pos"].to_numpy(), thresholds, linkage, rows)
    clumps.sort(key=lambda one: (tested["pos"].iat[one.index], rows[one.index]))
    return _rows(chrom, test, path, tested, clumps)


def _match(tested: pd.DataFrame, bed: Bed, path: PathLike) -> np.ndarray:
    """Where each tested variant stands in `bed.variants`, by position, id and alleles; UserError if one does not.

    Of variants that are repeated in the .bed, the first is meant: quality control drops the others.
    """
    here = bed.variants[VARIANT].reset_index(names="row").drop_duplicates(VARIANT)
    rows = tested[VARIANT].merge(here, on=VARIANT, how="left", validate="many_to_one")["row"]
    if rows.isna().any():
        raise UserError(
            f"{path} has {int(rows.isna().sum())} variants (of {len(rows)}) that {bed.path.with_suffix('.bim')} has "
            "not: give the genotypes that this GWAS tested"
        )
    return rows.to_numpy(np.int64)


def _rows(chrom: str, test: str, path: PathLike, tested: pd.DataFrame, clumps: list[Clump]) -> pd.DataFrame:
    """One row a clump, with the best feature read from the rows of the leads alone."""
    leads = np.array([one.index for one in clumps])
    pos = tested["pos"].to_numpy()
    spans = [pos[np.append(one.claimed, one.index)] for one in clumps]
    names = features(path)
    wanted = [f"{kind}_{name}" for name in names for kind in ("log10p", "beta", "se")]
    found = read_rows(path, leads, ["eaf", "n", *wanted])
    table = pd.DataFrame(
        {
            "locus": 0,
            "chrom": chrom,
            "start": [int(one.min()) for one in spans],
            "end": [int(one.max()) for one in spans],
            "lead_id": tested["id"].to_numpy()[leads],
            "test": test,
            "n_variants": [len(one) for one in spans],
            "genes": "",
        }
    )
    for name in ("pos", "effect_allele", "other_allele", "log10p"):
        table[name] = tested[name].to_numpy()[leads]
    table[["eaf", "n"]] = found[["eaf", "n"]]
    return pd.concat([table, _best_feature(found, names)], axis=1)[COLUMNS]


def _best_feature(found: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """best_feature beta se: of the feature with the largest log10p_<f> in each row; empty and NaN if there is none."""
    names = [name for name in names if f"log10p_{name}" in found]
    if not names:
        return pd.DataFrame({"best_feature": "", "beta": np.nan, "se": np.nan}, index=found.index)
    log10p = found[[f"log10p_{name}" for name in names]].to_numpy(dtype=np.float64)
    best = np.where(np.isnan(log10p), -np.inf, log10p).argmax(axis=1)
    none = np.isnan(log10p).all(axis=1)
    values = {}
    for kind in ("beta", "se"):
        columns = [f"{kind}_{name}" for name in names]
        every = found.reindex(columns=columns).to_numpy(dtype=np.float64)
        values[kind] = np.where(none, np.nan, every[np.arange(len(best)), best])
    return pd.DataFrame({"best_feature": np.where(none, "", np.array(names, dtype=object)[best]), **values})
