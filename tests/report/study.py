"""A made-up run for the tests of the page: real points, loci and tables, and small figures in place of the plots."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import yaml
from PIL import Image, ImageDraw

from contigwas.config.check import check_config
from contigwas.followup import COLUMNS as FOLLOWUP
from contigwas.plots.interactive_points import write_points
from contigwas.runtime.atomic_files import write_tsv
from tests.unit.plots_data import P1, write_gwas, write_loci, write_summary

ROOT = Path(__file__).resolve().parents[2]
IIDS = [f"{number}" for number in range(7_310_001, 7_310_041)]
CONFIG = """
genotypes: {array: "in/chr{chrom}.bed", chromosomes: [1, 2, 3], pcs: 4}
snps: {stride: 10}
pgs: {scores: in/scores/*.txt.gz}
burden: {genotypes: in/exome.bed, annotations: in/annotations.tsv, sets: in/sets.tsv, masks: {lof: [LoF]}}
images: {table: in/images.tsv}
models:
  contig: {method: contig, modalities: [snps, pgs, burden]}
  traits: {phenotypes: in/traits.tsv}
downstream:
  kinds: {task: clusters, models: [contig]}
evaluate: {truth: in/truth.tsv}
"""
BARE = """
genotypes: {array: "in/chr{chrom}.bed", chromosomes: [1, 2, 3], pcs: 0}
models:
  traits: {phenotypes: in/traits.tsv}
"""


def read_config(text: str) -> dict:
    """A config with its defaults."""
    config = yaml.safe_load(text)
    check_config(config)
    return config


def full(folder: Path) -> dict:
    """What `write_report` takes, but for the output: every part of the page has its files."""
    config = read_config(CONFIG)
    models = {
        name: _model(folder / name, number, trained=name == "contig") for number, name in enumerate(config["models"])
    }
    explained = folder / "contig/explanations"
    explained.mkdir()
    rows = [
        (
            method,
            modality,
            f"{modality}{n}",
            f"name {n}",
            "1" if modality == "snps" else "",
            n + 1,
            1 / (n + 1),
            0.1,
            0.9,
            -0.2,
            40,
        )
        for method in ("integrated_gradients", "deeplift")
        for modality in ("snps", "pgs")
        for n in range(12)
    ]
    columns = ["method", "modality", "feature", "name", "chrom", "pos", "mean_abs", "low", "high", "mean", "n_samples"]
    pd.DataFrame(rows, columns=columns).to_parquet(explained / "features.parquet")
    by_modality = {"method": ["deeplift"], "modality": ["snps"], "features": [12], "n_samples": [40], "sum_abs": [3.1]}
    write_tsv(
        pd.DataFrame({**by_modality, "mean_abs": [0.2], "low": [0.1], "high": [0.3]}), explained / "modalities.tsv"
    )
    complete = {
        "method": ["deeplift"],
        "modality": ["snps"],
        "n_samples": [40],
        "mean_error": [0.001],
        "max_error": [0.004],
    }
    write_tsv(pd.DataFrame(complete), explained / "completeness.tsv")
    scores = {"arm": ["kmeans", "probe"], "share": 1.0, "seed": np.nan, "metric": "nmi", "value": [0.4, 0.5]}
    write_tsv(pd.DataFrame({**scores, "low": 0.3, "high": 0.6, "n_samples": 40}), folder / "kinds.tsv")
    matching = {"score": ["PGS000001"], "rows": [10], "matched": [8], "overlap": [0.8], "kept": [1], "reason": [""]}
    write_tsv(pd.DataFrame(matching), folder / "matching.tsv")
    images = {"kept": [True] * 38 + [False] * 2, "reason": [""] * 38 + ["black"] * 2, "iid": IIDS}
    pd.DataFrame(images).to_parquet(folder / "images.parquet")
    var = pd.DataFrame(
        {"gene": ["A", "B"], "mask": "lof", "carriers": [6, 8], "variants": [2, 3]}, index=["A.lof", "B.lof"]
    )
    ad.AnnData(np.zeros((len(IIDS), 2), np.float32), pd.DataFrame(index=IIDS), var).write_h5ad(folder / "burden.h5ad")
    known = pd.read_csv(folder / "contig/loci.tsv", sep="\t", dtype={"chrom": str})
    planted = known[["chrom", "pos"]].assign(model="contig", id=known["lead_id"], latent="cup", q2=0.05, found=1)
    write_tsv(planted, folder / "planted.tsv")
    return {
        **_shared(folder, config, models, planted=True),
        "images": folder / "images.parquet",
        "matching": {"table": folder / "matching.tsv", "png": _figure(folder / "matching.png")},
        "burden": folder / "burden.h5ad",
        "explained": {
            "contig": {
                **{name: explained / f"{name}.tsv" for name in ("modalities", "completeness")},
                **{name: _figure(explained / f"{name}.png") for name in ("genome", "top")},
                "features": explained / "features.parquet",
            }
        },
        "tasks": [
            {
                "model": "contig",
                "task": "kinds",
                "kind": "clusters",
                "tsv": folder / "kinds.tsv",
                "png": _figure(folder / "kinds.png"),
            }
        ],
    }


def bare(folder: Path) -> dict:
    """The same for a run of user-supplied phenotypes alone, which reach no threshold."""
    config = read_config(BARE)
    models = {"traits": _model(folder / "traits", 1, hits=0)}
    nothing = {"images": None, "matching": None, "burden": None, "explained": {}, "tasks": []}
    return {**_shared(folder, config, models), **nothing}


def _shared(folder: Path, config: dict, models: dict, planted: bool = False) -> dict:
    samples = pd.DataFrame({"fid": IIDS, "iid": IIDS, "sex": 1, "genotypes": 1, "images": 1})
    write_tsv(samples, folder / "candidates.tsv")
    cohort = samples[["fid", "iid", "sex"]].assign(family="a", fold=0, gwas_included=1, exclusion="", gwas_exclusion="")
    cohort.loc[:4, ["exclusion", "gwas_included"]] = ["call rate", 0]
    write_tsv(cohort, folder / "cohort.tsv")
    pd.DataFrame({"reason": ["", "", "maf"]}).to_parquet(folder / "variants.parquet")
    tables = {"model": list(models), "n_samples": 30, "features": 2, "lambda": 1.01, "loci": [3] * len(models)}
    if planted:
        tables |= {"planted": 4, "planted_found": 3, "false_loci": [0] * len(models)}
    write_tsv(pd.DataFrame(tables), folder / "models.tsv")
    return {
        "samples": {"candidates": folder / "candidates.tsv", "cohort": folder / "cohort.tsv"},
        "variants": {str(chrom): folder / "variants.parquet" for chrom in (1, 2, 3)},
        "genotypes": {name: _figure(folder / f"{name}.png") for name in ("call_rate", "hwe", "pcs", "kinship")},
        "models": models,
        "evaluation": {
            "tables": [folder / f"{name}.tsv" for name in ("models", *(["planted"] if planted else []))],
            "png": _figure(folder / "evaluation.png"),
        },
        "captions": {path.stem: path.read_text() for path in (ROOT / "workflow/report").glob("*.rst")}
        | dict.fromkeys(("explain_genome", "explain_top", "map"), "A caption."),
        # as workflow/rules/report.smk passes it
        "config": {key: value for key, value in config.items() if key not in ("pretrain", "export")},
    }


def _model(folder: Path, seed: int, hits: int = 4, trained: bool = False) -> dict:
    """The files of a model of two features, with three loci where it has hits."""
    folder.mkdir(parents=True)
    gwas = write_gwas(folder, 3, 700, hits=hits, seed=seed)
    tables = [pd.read_parquet(path) for path in gwas.values()]
    values = {name: np.concatenate([one[f"log10p_{name}"] for one in tables]) for name in ("E1", "E2", "manova")}
    settings = {"test": "manova", "p1": P1, "features": 2}
    write_points(gwas, [write_summary(folder / "summary.parquet", values)], settings, folder / "points.parquet")
    loci = pd.read_csv(write_loci(folder, gwas, 3 if hits else 0, genes="GENE1"), sep="\t")
    loci["start"], loci["end"], loci["best_feature"] = loci["pos"] - 9, loci["pos"] + 9, "E1"
    loci["beta"], loci["se"] = [0.21, -0.1, 0.05][: len(loci)], 0.02
    write_tsv(loci, folder / "loci.tsv")
    index = loci.sort_values("log10p", ascending=False)[["locus", "chrom", "pos", "lead_id", "log10p"]]
    index = index.assign(name=[f"region{number}" for number in index["locus"]])
    (folder / "regional").mkdir()
    write_tsv(index, folder / "regional/index.tsv")
    for name in index["name"]:
        _figure(folder / f"regional/{name}.png")
    pd.DataFrame({"iid": IIDS[:30], "E1": 0.0, "E2": 1.0}).to_parquet(folder / "phenotypes.parquet")
    write_tsv(pd.DataFrame(columns=FOLLOWUP), folder / "followup.tsv")
    pictures = {name: _figure(folder / f"{name}.png") for name in ("manhattan", "overview", "qq")}
    more = {name: _figure(folder / f"{name}.png") if trained else None for name in ("training", "decoded", "map")}
    names = ("phenotypes.parquet", "points.parquet", "loci.tsv", "followup.tsv", "regional")
    return {**{name.split(".")[0]: folder / name for name in names}, **pictures, **more}


def _figure(path: Path) -> Path:
    image = Image.new("RGB", (700, 400), "white")
    ImageDraw.Draw(image).line([(30, 370), (670, 40)], fill="#2b5d87", width=3)
    image.save(path)
    return path
