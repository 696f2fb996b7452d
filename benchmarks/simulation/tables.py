"""Collect the results of the study: three tables in this folder, two figures, and the tables of docs/study.md.

    python benchmarks/simulation/tables.py FOLDER      # the folder given to snakemake --directory

Missing cells and nulls are left out. The tables state the number of seeds or nulls. Settings are compared once a model
has been run on all seeds.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from figures import draw_null, draw_power

from contigwas.runtime.atomic_files import replacing, write_tsv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/study.md"
MODELS = {
    "latents": "simulated traits (ceiling)",
    "contig": "contig",
    "simclr": "simclr",
    "byol": "byol",
    "simsiam": "simsiam",
    "barlow_twins": "barlow_twins",
    "nnclr": "nnclr",
    "autoencoder": "autoencoder",
    "pixel_pca": "pixel_pca",
    "untrained": "untrained",
    "snps_only": "contig, SNPs only",
    "pgs_only": "contig, scores only",
    "burden_only": "contig, burdens only",
    "inner": "contig, inner",
    "adjusted": "contig, PCs regressed out of the genetics",
    "siglip": "contig, SigLIP",
}
SETTINGS = {
    "fewer_samples": "1,500 samples, not 3,000",
    "centre": "the centre",
    "less_heritable": "heritability of a trait 0.16, not 0.30",
    "more_heritable": "heritability of a trait 0.51",
    "less_nuisance": "half the nuisance",
    "more_nuisance": "twice the nuisance",
}
BOUNDED = (
    "aligned",
    "summed",
)  # tested in as many samples as the permuted features; lambda varies more in fewer samples
TEST_SETS = {
    "as they are": "all samples",
    "aligned": "all samples, aligned",
    "summed": "all samples, χ² summed over folds",
    "heldout": "held-out fold only",
    "insample": "**training samples**",
    "no_pcs": "**all samples, no genetic PCs**",
    "head": "**training samples, head of a network with SNPs only**",
    "memorised_insample": "**training samples, head of an unregularised network**",
    "memorised_heldout": "held-out fold, head of the same network",
}


def read_tables(paths: Iterable[Path], keys: list[str]) -> pd.DataFrame:
    """The rows of all tables, sorted by `keys`; empty if there are none."""
    tables = [pd.read_csv(path, sep="\t") for path in sorted(paths)]
    return pd.concat(tables).sort_values(keys, kind="stable", ignore_index=True) if tables else pd.DataFrame()


def read_nulls(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The nulls, and the permutations of tested features that give the bounds of lambda (with the cohort seed)."""
    parts = [path for path in (folder / "null").glob("*.tsv") if not path.name.endswith(".bounds.tsv")]
    parts += (folder / "memorised").glob("*.tsv")
    bounds = []
    for path in sorted((folder / "null").glob("*.bounds.tsv")):
        bounds.append(pd.read_csv(path, sep="\t"))
        bounds[-1].insert(0, "seed", int(path.name.partition(".")[0]))
    return read_tables(parts, ["seed", "permutation"]), pd.concat(bounds) if bounds else pd.DataFrame()


def summarise_models(rows: pd.DataFrame) -> list[list[str]]:
    """A row per model and set of tested samples: seeds, samples, lambda, planted loci found and false loci."""
    lines = []
    rows_of_table = [(model, way) for model in MODELS for way in TEST_SETS]
    for model, way in rows_of_table:
        part = rows[(rows["model"] == model) & (rows["way"] == way)]
        if not len(part):
            continue
        lines.append(
            [
                MODELS[model],
                TEST_SETS[way],
                str(len(part)),
                f"{part['n_samples'].mean():,.0f}",
                f"{part['lambda'].mean():.2f}",
                f"{part['found'].sum()} of {part['planted'].sum()}",
                f"{part['found'].sum() / part['planted'].sum():.0%}",
                f"{part['false'].sum()}",
                f"{part['false'].sum() / part['loci'].sum():.0%}" if part["loci"].sum() else "–",
            ]
        )
    return lines


def keep_complete(rows: pd.DataFrame, seeds: list[int]) -> pd.DataFrame:
    """The rows of models that have been run on every seed: shares of different seeds cannot be compared."""
    return rows.groupby(["setting", "model", "way"]).filter(lambda part: set(part["seed"]) >= set(seeds))


def summarise_settings(rows: pd.DataFrame, settings: Mapping[str, str]) -> list[list[str]]:
    """A row per setting: the share of planted loci that each model finds, with its false loci in parentheses."""
    lines = []
    for setting, name in settings.items():
        line = [name]
        for model in ("latents", "contig", "simclr", "pixel_pca", "untrained"):
            way = "as they are" if model == "latents" else "aligned"
            part = rows[(rows["setting"] == setting) & (rows["model"] == model) & (rows["way"] == way)]
            line.append(
                f"{part['found'].sum() / part['planted'].sum():.0%} ({part['false'].sum()})" if len(part) else "–"
            )
        lines.append(line)
    return lines


def summarise_nulls(rows: pd.DataFrame, bounds: pd.DataFrame) -> list[list[str]]:
    """A row per set of tested samples: nulls, mean lambda with two standard errors, nulls outside the bounds, loci."""
    lines = []
    for way in TEST_SETS:
        part = rows[rows["way"] == way] if len(rows) else rows
        if not len(part):
            continue
        outside = bounded = 0
        for seed, own in part.groupby("seed"):
            permuted = bounds.loc[bounds["seed"] == seed, "lambda"] if len(bounds) else bounds
            if len(permuted) and way in BOUNDED:
                outside += int(((own["lambda"] < permuted.min()) | (own["lambda"] > permuted.max())).sum())
                bounded += len(own)
        lines.append(
            [
                TEST_SETS[way],
                str(len(part)),
                f"{part['n_samples'].mean():,.0f}",
                format_mean(part["lambda"]),
                format_mean(part["lambda_features"]),
                f"{outside} of {bounded}" if bounded else "–",
                str(part["loci"].sum()),
            ]
        )
    if len(bounds):
        lines.append(
            [
                "tested features permuted (bounds)",
                str(len(bounds)),
                "",
                format_mean(bounds["lambda"]),
                format_mean(bounds["lambda_features"]),
                "",
                str(bounds["loci"].sum()),
            ]
        )
    return lines


def format_mean(values: pd.Series) -> str:
    """The mean ± two standard errors of the mean.

    >>> format_mean(pd.Series([0.9, 1.0, 1.1]))
    '1.000 ± 0.115'
    """
    return f"{values.mean():.3f} ± {2 * values.std() / np.sqrt(len(values)):.3f}"


def format_markdown(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def fill_page(text: str, tables: Mapping[str, str]) -> str:
    """The page, with the text between <!-- name --> and <!-- end --> replaced by each table.

    >>> fill_page("a <!-- x -->old<!-- end --> b", {"x": "new"})
    'a <!-- x -->\\n\\nnew\\n\\n<!-- end --> b'
    """
    for name, table in tables.items():
        text, count = re.subn(
            rf"(<!-- {name} -->).*?(<!-- end -->)",
            lambda found, new=table: f"{found[1]}\n\n{new}\n\n{found[2]}",
            text,
            flags=re.S,
        )
        if count != 1:
            raise SystemExit(f"docs/study.md: the mark <!-- {name} --> occurs {count} times. It must occur once")
    return text


def main() -> None:
    """Collect the tables, draw the figures and fill in the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    study = yaml.safe_load((HERE / "study.yaml").read_text())
    power = read_tables(folder.glob("power/*/*/*.tsv"), ["setting", "seed", "model", "way"])
    null, bounds = read_nulls(folder)
    for name, table in (("power", power), ("null", null), ("bounds", bounds)):
        write_tsv(table, HERE / f"{name}.tsv")
    settings = {name: SETTINGS.get(name, name) for name in sorted(study["settings"], key=[*SETTINGS].index)}
    comparable = keep_complete(power, study["seeds"])
    draw_power(power[power["setting"] == "centre"], comparable, MODELS, [ROOT / "docs/figures/study_power.png"])
    draw_null(null, bounds, [ROOT / "docs/figures/study_null.png"])
    centre = power[power["setting"] == "centre"]
    head = ["model", "tested in", "seeds", "samples", "λ", "planted found", "power", "false loci", "of all loci"]
    models = ["setting", "simulated traits", "contig", "simclr", "pixel_pca", "untrained"]
    calibrated = ["tested in", "nulls", "samples", "λ of MANOVA", "λ of single features", "outside bounds", "loci"]
    tables = {
        "centre": format_markdown(head, summarise_models(centre)),
        "settings": format_markdown(models, summarise_settings(comparable, settings)),
        "null": format_markdown(calibrated, summarise_nulls(null, bounds)),
    }
    with replacing(PAGE) as temporary:
        temporary.write_text(fill_page(PAGE.read_text(), tables))


if __name__ == "__main__":
    main()
