"""The points of a model's Manhattan plots, of several tests, in one small table, for the page."""

import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.gwas.output import OMNIBUS
from contigwas.loci.gwas_file import features, names, read_rows
from contigwas.plots.genome import Genome
from contigwas.plots.manhattan_points import Extent, drawn_rows, extent
from contigwas.plots.qq import read_histograms
from contigwas.plots.style import HeightScale
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
CELLS = (420, 110)  # columns and rows of the axes: a point more in a cell would not be reported from the others
FEATURES_AT_ONCE = 64
TEXTS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    {
        "test": TEXTS,
        "chrom": TEXTS,
        "pos": pa.int32(),
        "id": pa.string(),
        "effect_allele": pa.string(),
        "other_allele": pa.string(),
        "log10p": pa.float32(),
        "hit": pa.bool_(),
        "feature": TEXTS,
        "beta": pa.float32(),
    }
)


def write_points(
    gwas: Mapping[str, PathLike],
    summaries: Sequence[PathLike],
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the points to draw of the loci's test, the other tests over features, and the features of the smallest p.

    `gwas` maps chromosomes to Parquet files, in the order of the axis; `summaries` are the histograms of all tests;
    `settings`: test, p1 and features (how many at most). Of every test all variants at or below p1 are kept, and of the
    others the highest of each cell of a grid: memory does not grow with the variants. Columns: `test chrom pos id
    effect_allele other_allele log10p hit feature beta`; feature and beta are those of the test where it is a feature,
    else at a hit the feature with the smallest p there. The file's notes (key contigwas) have `tested`: how many
    variants have a p-value, by test, and `chromosomes`. Raises UserError where the GWAS lacks the loci's test.
    """
    gwas = {chromosome(chrom): path for chrom, path in gwas.items()}
    files = list(gwas.values())
    tests = choose(files[0], summaries, str(settings["test"]), int(settings["features"]))
    threshold = float(-np.log10(float(settings["p1"])))
    tested, rows = {}, 0
    with replacing(output) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for test in tqdm(tests, "tests", disable=None):
            extents = {chrom: extent(path, test) for chrom, path in gwas.items()}
            tested[test] = sum(one.count for one in extents.values())
            for table in _tables(gwas, extents, test, threshold):
                rows += len(table)
                writer.write_table(pa.Table.from_pandas(table, SCHEMA, preserve_index=False))
        writer.add_key_value_metadata({"contigwas": json.dumps({"tested": tested, "chromosomes": list(gwas)})})
    log.info("%d points of %d tests", rows, len(tests))


def choose(path: PathLike, summaries: Sequence[PathLike], test: str, most: int) -> list[str]:
    """The tests of the page: `test`, the other tests over features, and `most` features of the smallest p.

    Raises UserError where the file has no -log10 p of `test`.
    """
    stored = {name.removeprefix("log10p_") for name in names(path) if name.startswith("log10p_")}
    if test not in stored:
        raise UserError(
            f"{path} has no test {test}: set loci.test to one of gwas.tests, and keep log10p in gwas.columns"
        )
    there = [name for name in features(path) if name in stored]
    # the last filled bin tells the smallest p to 1 %, without reading the columns of all features
    highest = {
        name: float(table["bin_low"].max())
        for name, table in read_histograms(summaries).items()
        if name in there and len(table)
    }
    strongest = sorted(highest, key=highest.__getitem__, reverse=True)[:most]
    return list(
        dict.fromkeys([test, *(one for one in OMNIBUS if one in stored), *(one for one in there if one in strongest)])
    )


def _tables(gwas: Mapping[str, PathLike], extents: Mapping[str, Extent], test: str, threshold: float):
    """The points of one test, a table a chromosome, positions ascending."""
    genome = Genome.of({chrom: one.ends for chrom, one in extents.items()})
    scale = HeightScale(max((one.top for one in extents.values()), default=0.0), threshold)
    for chrom in genome.chromosomes:
        path, top = gwas[chrom], extents[chrom].top
        row, _, y, hit = drawn_rows(path, test, chrom, genome, scale, threshold, top, CELLS)
        order = np.argsort(row)
        row, y, hit = row[order], y[order], hit[order]
        columns = ["pos", "id", "effect_allele", "other_allele"]
        table = read_rows(path, row, columns)
        table = table.assign(test=test, chrom=chrom, log10p=y.astype(np.float32), hit=hit)
        if test in OMNIBUS:
            table["feature"], table["beta"] = "", np.float32("nan")
            table.loc[hit, ["feature", "beta"]] = best_features(path, row[hit]).to_numpy()
        else:
            table["feature"] = test
            beta = read_rows(path, row, [f"beta_{test}"])
            table["beta"] = beta[f"beta_{test}"] if len(beta.columns) else np.float32("nan")
        yield table.astype({"beta": np.float32})[SCHEMA.names]


def best_features(path: PathLike, rows: np.ndarray) -> pd.DataFrame:
    """The feature of the smallest p at each of `rows` and its beta; empty and NaN where none is stored."""
    found = pd.DataFrame({"feature": "", "beta": np.nan}, index=range(len(rows)))
    stored = set(names(path))
    there = [name for name in features(path) if f"log10p_{name}" in stored]
    highest = np.full(len(rows), -np.inf)
    for start in range(0, len(there) if len(rows) else 0, FEATURES_AT_ONCE):
        some = there[start : start + FEATURES_AT_ONCE]
        heights = read_rows(path, rows, [f"log10p_{name}" for name in some]).to_numpy(dtype=float)
        heights = np.where(np.isnan(heights), -np.inf, heights)
        best = heights.argmax(axis=1)
        height = heights[np.arange(len(rows)), best]
        better = height > highest
        highest[better] = height[better]
        found.loc[better, "feature"] = np.array(some, dtype=object)[best[better]]
    for name, group in found[found["feature"] != ""].groupby("feature"):
        beta = read_rows(path, rows[group.index], [f"beta_{name}"])
        if len(beta.columns):
            found.loc[group.index, "beta"] = beta[f"beta_{name}"].to_numpy(dtype=float)
    return found
