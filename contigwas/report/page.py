"""The report: cohort flow, models side by side, every model's loci and figures, on one page that needs no network."""

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from contigwas import __version__
from contigwas.files import PathLike, read_table, replacing

log = logging.getLogger(__name__)
REGIONS = 2  # of each model
LOOKS = ["ols", "hc3", "sex_difference", "without_offsets", "manova", "manova_hc3"]
PACKAGES = ["snakemake", "torch", "lightning", "monai", "kornia", "numpy", "scipy", "anndata"]


def write_report(
    candidates: PathLike,
    cohort: PathLike,
    variants: Mapping[str, PathLike],
    genotypes: Mapping[str, PathLike],
    images: PathLike | None,
    matching: Mapping[str, PathLike] | None,
    models: Mapping[str, Mapping[str, PathLike]],
    evaluation: Mapping[str, PathLike],
    tasks: Sequence[Mapping[str, PathLike]],
    captions: Mapping[str, PathLike],
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the page.

    `models` maps a name to its files: phenotypes, loci, followup, manhattan, overview, regional (a folder), qq, perhaps
    training and decoded (else None).
    `genotypes` holds the figures of quality control by name (call_rate, hwe, pcs, kinship).
    `matching` holds the table of how scores matched and its figure (png), or is None.
    `tasks` are those of downstream: model, task, kind, tsv and png. `evaluation` holds models, planted, probes and png;
    `captions` the text under each kind of figure.
    """
    environment = Environment(
        loader=PackageLoader("contigwas.report"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    environment.filters |= {"picture": picture, "table": table}
    text = environment.get_template("page.html.j2").render(
        version=__version__,
        packages={name: _version(name) for name in PACKAGES},
        people=people_flow(candidates, cohort, models),
        variants=variant_flow(variants),
        genotypes=genotypes,
        images=image_flow(images) if images else None,
        scores={"png": matching["png"], "rows": score_flow(matching["table"])} if matching else None,
        models={
            name: {
                **files,
                "rows": read_table(files["loci"]),
                "looks": second_looks(files["followup"]),
                "regions": strongest_regions(files["regional"]),
            }
            for name, files in models.items()
        },
        evaluation={"png": evaluation["png"], "models": read_table(evaluation["models"])},
        tasks=[{**one, "rows": task_summary(one["tsv"])} for one in tasks],
        captions={name: " ".join(Path(path).read_text().split()) for name, path in captions.items()},
        settings=settings,
        config=yaml.safe_dump(dict(settings["models"]), sort_keys=False, allow_unicode=True),
    )
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    log.info("report of %d models, %.1f MB", len(models), len(text) / 1e6)


def people_flow(candidates: PathLike, cohort: PathLike, models: Mapping[str, Mapping[str, PathLike]]) -> pd.DataFrame:
    """How many people at each step, and why the others left: columns step, people."""
    named = read_table(candidates, ["iid"])
    kept = read_table(cohort, ["iid", "excluded"])
    kept["excluded"] = kept["excluded"].fillna("").astype(str)
    rows = [("named by any input", len(named))]
    rows += [
        (f"in {source}", int(named[source].sum())) for source in named.columns if source not in ("fid", "iid", "sex")
    ]
    rows += [(f"excluded: {why}", count) for why, count in kept["excluded"].value_counts().items() if why]
    rows += [("in the cohort", int((kept["excluded"] == "").sum()))]
    rows += [("of them eligible for testing (no close relative tested)", int(kept["in_gwas"].sum()))]
    rows += [
        (f"tested in {name}", len(pd.read_parquet(files["phenotypes"], columns=["iid"])))
        for name, files in models.items()
    ]
    return pd.DataFrame(rows, columns=["step", "people"])


def variant_flow(variants: Mapping[str, PathLike]) -> pd.DataFrame:
    """How many variants of each chromosome were kept, and why the others left: one row a chromosome."""
    rows = []
    for chrom, path in variants.items():
        reasons = pd.read_parquet(path, columns=["reason"])["reason"].value_counts().rename({"": "kept"})
        rows.append({"chromosome": chrom, "variants": int(reasons.sum()), **reasons.to_dict()})
    return pd.DataFrame(rows).fillna(0).astype({"chromosome": str}).convert_dtypes()


def image_flow(table: PathLike) -> pd.DataFrame:
    """How many images were kept, and why the others left: columns outcome, images."""
    reasons = pd.read_parquet(table, columns=["kept", "reason"])
    outcome = reasons["reason"].where(~reasons["kept"].astype(bool), "kept")
    return outcome.value_counts().rename_axis("outcome").reset_index(name="images")


def score_flow(matching: PathLike) -> pd.DataFrame:
    """How the rows of every polygenic score matched, as the pgs stage wrote it."""
    return read_table(matching)


def strongest_regions(folder: PathLike) -> list[Path]:
    """The regional plots of the strongest loci, the first of the folder's index: few, for a small page."""
    names = read_table(Path(folder, "index.tsv"), ["name"])["name"][:REGIONS]
    return [Path(folder, f"{name}.png") for name in names]


def second_looks(path: PathLike) -> pd.DataFrame:
    """-log10 p of a locus's best feature and of all features together, one row a locus and one column a fit."""
    rows = read_table(path)
    rows["feature"] = rows["feature"].fillna("").astype(str)
    best = rows[rows["feature"] != ""].groupby("locus", sort=False)["feature"].first()
    shown = rows[(rows["feature"] == "") | (rows["feature"] == rows["locus"].map(best))]
    wide = shown.pivot(index=["locus", "lead_id"], columns="fit", values="log10p").reset_index()
    wide["feature"] = wide["locus"].map(best).fillna("")
    return wide[["locus", "lead_id", "feature", *(name for name in LOOKS if name in wide)]].rename_axis(columns=None)


def task_summary(path: PathLike) -> pd.DataFrame:
    """The rows of a downstream task over all its seeds, without those that compare others than the first arm."""
    rows = read_table(path)
    rows = rows[rows["seed"].isna()].drop(columns="seed")
    first = str(rows["arm"].iloc[0])
    return rows[~rows["arm"].str.contains(" - ", regex=False) | rows["arm"].str.startswith(f"{first} - ")]


def picture(path: PathLike) -> str:
    """A PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def table(frame: pd.DataFrame) -> str:
    """A table as HTML; numbers in a few significant digits."""

    def shown(value: object) -> str:
        if isinstance(value, float):
            return "" if pd.isna(value) else f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
        return "" if value is pd.NA else str(value)

    text = frame.map(shown).to_html(index=False, border=0, classes="table")
    return re.sub(r' style="text-align: right;"', "", text)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
