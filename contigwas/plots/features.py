"""Manhattan plots of single features: the best features of the loci, or those named in the config."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.loci.gwas_file import features, names
from contigwas.plots.inflation import inflation
from contigwas.plots.lead_variants import at_leads, read_leads
from contigwas.plots.manhattan import draw
from contigwas.plots.qq import read_histograms
from contigwas.runtime.atomic_files import PathLike, replacing_folder, write_tsv
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
MAX_OF_LOCI, MAX_WITHOUT_LOCI = 20, 5
INDEX = ["feature", "lambda", "low", "high", "interval", "loci", "name"]


def feature_plots(
    gwas: Mapping[str, PathLike],
    summaries: Sequence[PathLike],
    loci: PathLike,
    settings: Mapping[str, object],
    folder: PathLike,
    title: str,
) -> pd.DataFrame:
    """Draw a Manhattan plot of each chosen feature (PNG and PDF) into `folder`, with index.tsv, and return the index.

    `gwas` maps chromosomes to Parquet files; `summaries` are the histograms of all tests, for lambda; `settings` has
    features (see `choose_features`) and p1. Lead variants that reach p1 by the feature itself are labelled. Columns of
    the index: `feature lambda low high interval loci name`; interval is the method of `contigwas.plots.inflation`, loci
    counts the labelled lead variants. The folder is complete or absent. Raises UserError for a feature that was not
    tested.
    """
    files = list(gwas.values())
    stored = set(names(files[0])) if files else set()
    available = [name for name in (features(files[0]) if files else []) if f"log10p_{name}" in stored]
    lead_variants = read_leads(loci)
    chosen = choose_features(settings["features"], available, lead_variants, summaries)
    values = at_leads(gwas, lead_variants, loci, chosen) if chosen else pd.DataFrame()
    inflations = inflation(summaries, chosen)
    threshold = np.float32(-np.log10(float(settings["p1"])))
    rows = []
    with replacing_folder(folder) as temporary:
        for number, feature in enumerate(tqdm(chosen, "features", disable=None), 1):
            height = values.loc[feature].to_numpy(dtype=float)
            reached = height.astype(np.float32) >= threshold
            marked = lead_variants.assign(log10p=height)[reached]
            name = f"{number:0{len(str(len(chosen)))}d}_{safe_file_name(feature)}"
            outputs = [Path(temporary, f"{name}.{suffix}") for suffix in ("png", "pdf")]
            factor = inflations[feature]
            texts = {"title": f"{title}, {feature}", "detail": str(factor), "tested": factor.count}
            draw(gwas, marked, feature, float(settings["p1"]), outputs, **texts)
            rows.append((feature, factor.value, factor.low, factor.high, factor.method, int(reached.sum()), name))
        index = pd.DataFrame(rows, columns=INDEX)
        write_tsv(index, Path(temporary, "index.tsv"))
    log.info("%d of %d features drawn", len(index), len(available))
    return index


def choose_features(
    wanted: Sequence[str] | str | None,
    available: Sequence[str],
    lead_variants: pd.DataFrame,
    summaries: Sequence[PathLike],
) -> list[str]:
    """Return the names of the features to draw.

    `wanted` is a list of names, `all`, or None. None selects at most 20 features that are best_feature of a locus,
    strongest loci first; without such a locus, the 5 features with the smallest p. Raises UserError for a name that is
    not `available`.
    """
    if isinstance(wanted, str):
        return list(available)
    if wanted is not None:
        for name in wanted:
            if name not in available:
                near = difflib.get_close_matches(name, available, 1)
                hint = (
                    f"did you mean {near[0]}?" if near else f"the GWAS has {', '.join(list(available)[:8]) or 'none'}"
                )
                raise UserError(f"config: plots.features: {name} has no p-values in this GWAS; {hint}")
        return list(dict.fromkeys(wanted))
    if "best_feature" in lead_variants and len(lead_variants):
        strongest = lead_variants.sort_values("log10p", ascending=False, kind="stable")["best_feature"]
        best = [str(one) for one in dict.fromkeys(strongest) if one in set(available)]
        if best:
            if len(best) > MAX_OF_LOCI:
                log.info("%d of the %d best features of loci are drawn", MAX_OF_LOCI, len(best))
            return best[:MAX_OF_LOCI]
    # the last bin of a histogram gives the smallest p to 1 %, without reading the columns of all features
    highest = {
        name: float(table["bin_low"].max())
        for name, table in read_histograms(summaries).items()
        if name in set(available) and len(table)
    }
    return sorted(highest, key=highest.__getitem__, reverse=True)[:MAX_WITHOUT_LOCI]


def safe_file_name(name: str) -> str:
    """Return the name of a feature as part of a file name.

    >>> safe_file_name("left eye/cup:disc")
    'left_eye_cup_disc'
    """
    return "".join(one if one.isalnum() or one in "-." else "_" for one in name)[:60]
