"""A model's part of the page: its loci, the plots of their regions, sensitivity analyses of lead variants, and its other figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from markupsafe import Markup

from contigwas.report.manhattan import Manhattan, manhattan
from contigwas.report.methods_models import kind
from contigwas.report.tables import fixed, grouped, table
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table

LOOKS = ["ols", "hc3", "sex_difference", "without_offsets", "manova", "manova_hc3"]
COLUMNS = {
    "locus": "locus",
    "chrom": "chrom",
    "pos": "position",
    "lead_id": "lead variant",
    "alleles": "effect/other",
    "eaf": "EAF",
    "log10p": "−log₁₀ p",
    "best_feature": "best feature",
    "beta": "beta",
    "se": "SE",
    "genes": "genes",
}


@dataclass(frozen=True)
class Region:
    """The plot of a locus, and what it shows in words."""

    locus: int
    path: Path
    words: str
    alt: str


@dataclass(frozen=True)
class Model:
    """What the page tells of a model; `loci` are all columns of loci.tsv, `loci_table` what is shown of them."""

    kind: str
    samples: int
    features: int
    loci: pd.DataFrame
    loci_table: Markup
    manhattan: Manhattan
    regions: Sequence[Region]
    looks: pd.DataFrame
    files: Mapping[str, PathLike | None]


def model_part(name: str, files: Mapping[str, PathLike | None], config: Mapping, planted: pd.DataFrame | None) -> Model:
    """Read a model's files; `planted` is planted.tsv, of all models."""
    loci = read_table(files["loci"], ["locus", "chrom", "pos", "lead_id"], text=["features"])
    phenotypes = pq.ParquetFile(files["phenotypes"])
    regions = strongest_regions(files["regional"], loci, config["report"]["regions"])
    own = None if planted is None else planted[planted["model"].astype(str) == name]
    reach = float(config["plots"]["regional_kb"]) * 1000
    return Model(
        kind=kind(config["models"][name]),
        samples=phenotypes.metadata.num_rows,
        features=len(phenotypes.schema_arrow.names) - 1,
        loci=loci,
        loci_table=loci_table(name, loci, {one.locus for one in regions}),
        manhattan=manhattan(files["points"], loci, name, float(config["loci"]["p1"]), reach, own),
        regions=regions,
        looks=second_looks(files["followup"]),
        files=files,
    )


def loci_table(name: str, loci: pd.DataFrame, drawn: set[int]) -> Markup:
    """The loci as HTML; the number of one whose region is drawn is a link to it."""

    def linked(value: object) -> str | Markup:
        if int(value) not in drawn:
            return str(value)
        link = '<a href="#{}-locus-{}" aria-label="Locus {}: its regional plot">{}</a>'
        return Markup(link).format(name, value, value, value)

    alleles = loci["effect_allele"].astype(str) + "/" + loci["other_allele"].astype(str)
    rows = loci.assign(alleles=alleles)[list(COLUMNS)]
    for column in ("genes", "best_feature"):
        rows[column] = rows[column].fillna("").astype(str)
    if not rows["genes"].any():
        rows = rows.drop(columns="genes")
    cells = {"locus": linked, "pos": grouped, "eaf": fixed(3), "log10p": fixed(1)}
    rows = rows.rename(columns=COLUMNS)
    return table(rows, f"Loci of {name}", {COLUMNS[key]: cell for key, cell in cells.items()}, f"loci-{name}")


def strongest_regions(folder: PathLike, loci: pd.DataFrame, most: int) -> list[Region]:
    """The regional plots of the strongest loci, the first of the folder's index."""
    index = read_table(Path(folder, "index.tsv"), ["name"])[:most]
    known = loci.set_index("locus")
    regions = []
    for row in index.itertuples():
        lead = known.loc[row.locus]
        place = f"chromosome {row.chrom}: {int(row.pos):,}"
        feature = f", best feature {lead['best_feature']}" if lead["best_feature"] else ""
        words = f"{place}, {row.lead_id}, −log₁₀ p {float(row.log10p):.1f}{feature}"
        alt = (
            f"Variants around {int(lead['start']):,} to {int(lead['end']):,} on chromosome {row.chrom}, coloured by r² "
            f"with the lead variant {row.lead_id} at {int(row.pos):,}, whose −log₁₀ p is {float(row.log10p):.1f}"
        )
        regions.append(Region(int(row.locus), Path(folder, f"{row.name}.png"), words, alt))
    return regions


def second_looks(path: PathLike) -> pd.DataFrame:
    """-log10 p of a locus's best feature and of all features together, one row a locus and one column a fit."""
    rows = read_table(path, text=["feature"])
    rows["feature"] = rows["feature"].fillna("").astype(str)
    best = rows[rows["feature"] != ""].groupby("locus", sort=False)["feature"].first()
    shown = rows[(rows["feature"] == "") | (rows["feature"] == rows["locus"].map(best))]
    wide = shown.pivot(index=["locus", "lead_id"], columns="fit", values="log10p").reset_index()
    wide["feature"] = wide["locus"].map(best).fillna("")
    return wide[["locus", "lead_id", "feature", *(name for name in LOOKS if name in wide)]].rename_axis(columns=None)
