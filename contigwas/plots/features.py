"""Manhattan plots of single features: those that the loci speak of, or those that the user names."""

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
MOST_OF_LOCI, MOST_WITHOUT = 20, 5
INDEX = ["feature", "lambda", "low", "high", "interval", "loci", "name"]


def feature_plots(
    gwas: Mapping[str, PathLike],
    summaries: Sequence[PathLike],
    loci: PathLike,
    settings: Mapping[str, object],
    folder: PathLike,
    title: str,
) -> pd.DataFrame:
    """Draw a Manhattan plot of each chosen feature into `folder`, a PNG and a PDF each, and index.tsv.

    `gwas` maps chromosomes to Parquet files; `summaries` are the histograms of all tests, for lambda; `settings`:
    features (see `choose`) and p1. The lead variants that reach p1 by the feature itself are labelled. Returns the
    index: `feature lambda low high interval loci name`; interval is the method of `contigwas.plots.inflation`, loci
    counts those labelled. The folder is complete or absent. Raises UserError for a feature that was not tested.
    """
    files = list(gwas.values())
    stored = set(names(files[0])) if files else set()
    there = [name for name in (features(files[0]) if files else []) if f"log10p_{name}" in stored]
    leads = read_leads(loci)
    chosen = choose(settings["features"], there, leads, summaries)
    values = at_leads(gwas, leads, loci, chosen) if chosen else pd.DataFrame()
    inflations = inflation(summaries, chosen)
    threshold = np.float32(-np.log10(float(settings["p1"])))
    rows = []
    with replacing_folder(folder) as temporary:
        for number, feature in enumerate(tqdm(chosen, "features", disable=None), 1):
            height = values.loc[feature].to_numpy(dtype=float)
            reached = height.astype(np.float32) >= threshold
            marked = leads.assign(log10p=height)[reached]
            name = f"{number:0{len(str(len(chosen)))}d}_{safe(feature)}"
            outputs = [Path(temporary, f"{name}.{suffix}") for suffix in ("png", "pdf")]
            found = inflations[feature]
            words = {"title": f"{title}, {feature}", "detail": str(found), "tested": found.count}
            draw(gwas, marked, feature, float(settings["p1"]), outputs, **words)
            rows.append((feature, found.value, found.low, found.high, found.method, int(reached.sum()), name))
        index = pd.DataFrame(rows, columns=INDEX)
        write_tsv(index, Path(temporary, "index.tsv"))
    log.info("%d of %d features drawn", len(index), len(there))
    return index


def choose(
    wanted: Sequence[str] | str | None, there: Sequence[str], leads: pd.DataFrame, summaries: Sequence[PathLike]
) -> list[str]:
    """Names of the features to draw, of those `there`.

    `wanted` is a list, `all`, or None: those that are best_feature of a locus, of the strongest loci first and 20 at
    most; where no locus has one, the 5 that reach the smallest p. Raises UserError for a name that is not there.
    """
    if isinstance(wanted, str):
        return list(there)
    if wanted is not None:
        for name in wanted:
            if name not in there:
                near = difflib.get_close_matches(name, there, 1)
                hint = f"did you mean {near[0]}?" if near else f"the GWAS has {', '.join(list(there)[:8]) or 'none'}"
                raise UserError(f"config: plots.features names {name}, whose p-values this GWAS does not hold: {hint}")
        return list(dict.fromkeys(wanted))
    if "best_feature" in leads and len(leads):
        strongest = leads.sort_values("log10p", ascending=False, kind="stable")["best_feature"]
        best = [str(one) for one in dict.fromkeys(strongest) if one in set(there)]
        if best:
            if len(best) > MOST_OF_LOCI:
                log.info("%d of the %d features that lead a locus are drawn", MOST_OF_LOCI, len(best))
            return best[:MOST_OF_LOCI]
    # the last filled bin of a histogram tells the smallest p to 1 %, without reading the columns of all features
    highest = {
        name: float(table["bin_low"].max())
        for name, table in read_histograms(summaries).items()
        if name in set(there) and len(table)
    }
    return sorted(highest, key=highest.__getitem__, reverse=True)[:MOST_WITHOUT]


def safe(name: str) -> str:
    """A feature's name as a part of a file's name.

    >>> safe("left eye/cup:disc")
    'left_eye_cup_disc'
    """
    return "".join(one if one.isalnum() or one in "-." else "_" for one in name)[:60]
