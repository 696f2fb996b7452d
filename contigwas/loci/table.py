"""Table of loci: one row per clump, with the most associated feature of the lead variant and the genes."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.genotypes.sex import x_linked
from contigwas.loci.clump import Clump, Thresholds, clump
from contigwas.loci.effects import effects_at, require_test
from contigwas.loci.genes import genes_of, read_genes
from contigwas.loci.gwas_file import read_columns
from contigwas.loci.ld import Linkage
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_gwas_iids
from contigwas.tables.sample_ids import require_overlap, rows_of

log = logging.getLogger(__name__)
VARIANT = ["pos", "id", "effect_allele", "other_allele"]
COLUMNS = [
    *("locus", "chrom", "start", "end", "lead_id", "pos", "effect_allele", "other_allele", "eaf", "n", "test"),
    *("log10p", "best_feature", "beta", "se", "n_variants", "features", "genes"),
]


def write_loci(
    gwas: Mapping[str, PathLike],
    genotype_files: GenotypeFiles,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write loci.tsv with the columns `COLUMNS`, and only a header if no variant reaches p1.

    Args:
        gwas: Parquet files of the GWAS by chromosome.
        genotype_files: the genotypes that the GWAS tested.
        cohort: cohort.tsv. Linkage disequilibrium is computed in its samples with gwas_included = 1.
        settings: test (a test over features or a feature), p1, p2, r2, kb, feature_p (None: p1), genes (a path or
            None), genes_build and build.
        output: path of loci.tsv.

    `start` and `end` span the lead variant and the variants it claimed, and `n_variants` counts them. `best_feature`
    has the smallest p-value at the lead variant, and `beta` and `se` are its effect. `features` lists all features with
    p <= feature_p there, the most significant first, joined by commas. Loci are numbered along the genome. Raises
    UserError for a test that the GWAS does not have, and for files that do not match.
    """
    thresholds = Thresholds(**{name: settings[name] for name in ("p1", "p2", "r2", "kb")})
    gene_list = settings["genes"]
    genes = read_genes(gene_list, settings["build"], settings["genes_build"]) if gene_list else None
    founders = read_gwas_iids(cohort)
    tables = [
        _loci_of(str(chrom), path, genotype_files, founders, cohort, settings, thresholds)
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


def _loci_of(
    chrom: str,
    path: PathLike,
    genotype_files: GenotypeFiles,
    founders: pd.Index,
    cohort: PathLike,
    settings: Mapping[str, object],
    thresholds: Thresholds,
) -> pd.DataFrame:
    """Return the loci of one chromosome in order of position, without number and genes.

    `founders` are the IIDs of the tested samples of `cohort`. The genotypes are opened only if a variant is
    significant.
    """
    test = str(settings["test"])
    require_test(path, test)
    tested = read_columns(path, [*VARIANT, f"log10p_{test}"]).rename(columns={f"log10p_{test}": "log10p"})
    values = tested["log10p"].to_numpy()
    log.info("chromosome %s: %d variants, %d without a p-value", chrom, len(values), int(np.isnan(values).sum()))
    if not (values >= values.dtype.type(-np.log10(thresholds.p1))).any():
        return pd.DataFrame(columns=COLUMNS)
    bed = open_genotypes(genotype_files, chrom)
    rows = match_variants(tested, bed, path)
    samples = rows_of(founders, bed.samples["iid"])
    require_overlap(founders, bed.samples["iid"], f"the tested samples of {cohort}", str(bed.path))
    if (samples < 0).any():
        log.warning("chromosome %s: %d tested samples are missing from the genotypes", chrom, int((samples < 0).sum()))
    pos = tested["pos"].to_numpy()
    linkage = Linkage(bed, rows, np.sort(samples[samples >= 0]), x_linked(chrom, pos, str(settings["build"])))
    clumps = clump(values, pos, thresholds, linkage, rows)
    clumps.sort(key=lambda one: (tested["pos"].iat[one.index], rows[one.index]))
    feature_p = settings["feature_p"]
    return _rows(chrom, test, path, tested, clumps, thresholds.p1 if feature_p is None else float(feature_p))


def match_variants(tested: pd.DataFrame, bed: Genotypes, path: PathLike) -> np.ndarray:
    """Return the row of each tested variant in `bed.variants`, by position, id and alleles: int64 (tested,).

    Of duplicated variants the first is used, because quality control drops the others. Raises UserError if a variant
    is missing.
    """
    variants = bed.variants[VARIANT].reset_index(names="row").drop_duplicates(VARIANT)
    rows = tested[VARIANT].merge(variants, on=VARIANT, how="left", validate="many_to_one")["row"]
    if rows.isna().any():
        raise UserError(
            f"{path}: {int(rows.isna().sum())} of its {len(rows)} variants are missing from {bed.path}. Supply the "
            "genotypes that this GWAS tested"
        )
    return rows.to_numpy(np.int64)


def _rows(
    chrom: str, test: str, path: PathLike, tested: pd.DataFrame, clumps: list[Clump], feature_p: float
) -> pd.DataFrame:
    """Return one row per clump, with the effects of the features at the lead variants."""
    lead_variants = np.array([one.index for one in clumps])
    pos = tested["pos"].to_numpy()
    spans = [pos[np.append(one.claimed, one.index)] for one in clumps]
    table = pd.DataFrame(
        {
            "locus": 0,
            "chrom": chrom,
            "start": [int(one.min()) for one in spans],
            "end": [int(one.max()) for one in spans],
            "lead_id": tested["id"].to_numpy()[lead_variants],
            "test": test,
            "n_variants": [len(one) for one in spans],
            "genes": "",
        }
    )
    for name in ("pos", "effect_allele", "other_allele", "log10p"):
        table[name] = tested[name].to_numpy()[lead_variants]
    return pd.concat([table, effects_at(path, lead_variants, feature_p)], axis=1)[COLUMNS]
