"""Jobs of the study: simulate a cohort, train and test the models of a cell, and repeat it under the null.

Run by the Snakefile in this folder. Each function writes one small table. Networks and GWAS are in a separate folder
while the job runs.
"""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import stages

from contigwas.config.check import check_config
from contigwas.evaluate.ground_truth import compare, linkage, read_truth
from contigwas.gwas.summary import Histogram, read_lambda
from contigwas.loci import write_loci
from contigwas.runtime.atomic_files import write_tsv

TEST = "manova"


def config_of(study: Mapping, setting: str, seed: int) -> dict:
    """The config of contigwas for one setting and seed, checked, defaults filled in."""
    config = yaml.safe_load((Path(__file__).parent / study["config"]).read_text())
    config["seed"] = int(seed)
    for key, value in study["settings"][setting].items():
        *blocks, last = key.split(".")
        place = config
        for block in blocks:
            place = place[block]
        place[last] = value
    check_config(config)
    return config


def make_cohort(study: Mapping, setting: str, seed: int, folder: Path, output: Path) -> None:
    """Simulate the cohort of a setting and seed in `folder`; `output` has the numbers of samples and images."""
    config = config_of(study, setting, seed)
    shutil.rmtree(folder, ignore_errors=True)
    with _quiet(config):
        cohort = stages.simulated_cohort(config, folder)
    samples = pd.read_csv(cohort.samples, sep="\t")
    images = pd.read_parquet(cohort.images[1])
    row = {
        "setting": setting,
        "seed": seed,
        "n_samples": len(samples),
        "tested": int((samples["gwas_included"] == 1).sum()),
    }
    write_tsv(pd.DataFrame([row | {"images": int(images["kept"].sum())}]), output)


def power(study: Mapping, setting: str, seed: int, cell: str, folder: Path, output: Path) -> None:
    """Write found and false loci of every model of a cell, one row per set of tested samples (`way`).

    In other settings than the centre, a model is tested in one way only.
    """
    study = study if setting == "centre" else {**study, "ways": {}}
    config = config_of(study, setting, seed)
    cohort = stages.cohort_of(config, folder, folder / "results")
    rows = []
    with _quiet(config), _scratch(folder / "cells" / cell) as scratch:
        for model in study["cells"][cell]:
            for way, gwas in _ways(study, config, cohort, model, scratch / model):
                row = {"setting": setting, "seed": seed, "model": model, "way": way}
                rows.append(row | _validation_outputs(config, cohort, gwas))
    write_tsv(pd.DataFrame(rows), output)


def null(study: Mapping, seed: int, permutation: int, folder: Path, output: Path) -> None:
    """Write lambda and loci under the null (permuted images, newly trained networks), one row per way.

    For the first permutation of a cohort, <output>.bounds.tsv is written too. The row `head` tests the output of the
    head of a network with SNPs only, in its training samples.
    """
    plan = study["calibration"]
    config = config_of(study, plan["setting"], seed)
    cohort = stages.cohort_of(config, folder, folder / "results")
    rows = []
    with _quiet(config), _scratch(folder / "nulls" / str(permutation)) as scratch:
        table = stages.shuffled(cohort.images[1], permutation, scratch / "images.parquet")
        cohort = cohort.with_images(table)
        planned = {**study, "ways": {plan["model"]: plan["ways"], plan["head"]: ["insample"]}}
        for model in (plan["model"], plan["head"]):
            first = None if model == plan["model"] else [0]
            for way, gwas in _ways(planned, config, cohort, model, scratch / model, first, 1000 * permutation + seed):
                name = way if model == plan["model"] else "head"
                row = {"seed": seed, "permutation": permutation, "way": name, "n_samples": _samples(gwas)}
                rows.append(row | _inflation(gwas))
                if permutation == 1 and name == "aligned":
                    _bounds(config, cohort, gwas, plan["bounds"], scratch, output.with_suffix(".bounds.tsv"))
    write_tsv(pd.DataFrame(rows), output)


def memorised(study: Mapping, seed: int, folder: Path, output: Path) -> None:
    """Test the head of an unregularised network under the null, in its training samples and in held-out samples."""
    plan = study["calibration"]
    config = config_of(study, plan["setting"], seed)
    cohort = stages.cohort_of(config, folder, folder / "results")
    model, rows = plan["memorised"], []
    with _quiet(config), _scratch(folder / "memorised") as scratch:
        cohort = cohort.with_images(stages.shuffled(cohort.images[1], 1, scratch / "images.parquet"))
        planned = {**study, "ways": {model: ["insample", "heldout"]}}
        for way, gwas in _ways(planned, config, cohort, model, scratch, [0], 1000 + seed):
            rows.append(
                {"seed": seed, "permutation": 1, "way": f"{model}_{way}", "n_samples": _samples(gwas)}
                | _inflation(gwas)
            )
    write_tsv(pd.DataFrame(rows), output)


def _inflation(gwas: stages.Gwas) -> dict[str, object]:
    """Return lambda of MANOVA, the number of loci, and the mean lambda of single features (NaN for summed folds)."""
    lambdas = gwas.lambdas()
    features = [one for one in gwas.features() if one in lambdas]
    single = lambdas[features].mean() if features else float("nan")
    return {"lambda": lambdas[TEST], "loci": len(stages.loci_of(gwas)), "lambda_features": single}


def _ways(
    study: Mapping,
    config: Mapping,
    cohort: stages.Cohort,
    model: str,
    folder: Path,
    folds: Sequence[int] | None = None,
    seed: int | None = None,
) -> Iterator[tuple[str, stages.Gwas]]:
    """Train a model once and test it in each of its ways."""
    if "phenotypes" in config["models"][model] and "method" not in config["models"][model]:
        yield "as they are", stages.external(config, cohort, model, folder)
        return
    embeddings = stages.embedded(config, cohort, model, folder, folds, seed)
    for way in study["ways"].get(model, ["aligned"]):
        yield way, WAYS[way](config, cohort, model, embeddings, folder / way)


def _aligned(config, cohort, model, embeddings, folder, covariates=None) -> stages.Gwas:
    """Test all samples with networks that did not train on them, aligned to network 0."""
    folder.mkdir(parents=True, exist_ok=True)
    together = stages.aligned(config, model, embeddings, folder)
    return stages.tested(config, cohort, model, together, embeddings[0], folder, covariates)


def _no_pcs(config, cohort, model, embeddings, folder) -> stages.Gwas:
    """Test all samples, aligned, without genetic PCs as covariates."""
    kept = [one for one in config["gwas"]["covariates"] if not one.startswith("PC")]
    return _aligned(config, cohort, model, embeddings, folder, kept)


def _heldout(config, cohort, model, embeddings, folder) -> stages.Gwas:
    """Test fold 0 only, as in ContIG."""
    part = stages.of_role(embeddings[0], "heldout", folder)
    return stages.tested(config, cohort, model, part, embeddings[0], folder)


def _insample(config, cohort, model, embeddings, folder) -> stages.Gwas:
    """Test the training samples of network 0, which is not calibrated under the null."""
    part = stages.of_role(embeddings[0], "train", folder)
    return stages.tested(config, cohort, model, part, embeddings[0], folder)


def _summed(config, cohort, model, embeddings, folder) -> stages.Gwas:
    """Run one MANOVA per fold, in the PCs of the fold, and sum the chi-squared values over folds."""
    parts = []
    for fold, one in enumerate(embeddings):
        place = folder / f"fold{fold}"
        parts.append(stages.tested(config, cohort, model, stages.of_role(one, "heldout", place), one, place))
    tables, summaries = {}, []
    for chrom in cohort.chromosomes:
        files = [pd.read_parquet(part.tables[chrom]) for part in parts]
        tables[chrom] = folder / f"chr{chrom}.parquet"
        table = _sum_of_folds(files, [len(part.features()) for part in parts])
        table.to_parquet(tables[chrom])
        summaries.append(folder / f"chr{chrom}.summary.parquet")
        histogram = Histogram([TEST])
        histogram.add(torch.from_numpy(table[f"log10p_{TEST}"].to_numpy(np.float64))[:, None])
        histogram.write(summaries[-1])
    loci = folder / "loci.tsv"
    wanted = {**config["loci"], "build": config["genotypes"]["build"]}
    write_loci(tables, cohort.genotypes, cohort.samples, wanted, loci)
    phenotypes = folder / "phenotypes.parquet"
    pd.concat([pd.read_parquet(part.phenotypes)[["iid"]] for part in parts]).to_parquet(phenotypes)
    return stages.Gwas(tables, summaries, phenotypes, loci)


WAYS: dict[str, Callable[..., stages.Gwas]] = {
    "aligned": _aligned,
    "no_pcs": _no_pcs,
    "heldout": _heldout,
    "insample": _insample,
    "summed": _summed,
}


def _sum_of_folds(tables: Sequence[pd.DataFrame], features: Sequence[int]) -> pd.DataFrame:
    """Return all variants, with MANOVA from chi-squared values on `features` df, summed over folds.

    A fold in which a variant was not tested adds neither chi-squared nor df. Variants are joined by position and
    alleles.
    """
    key = ["pos", "id", "effect_allele", "other_allele"]
    total = None
    for table, df in zip(tables, features, strict=True):
        found = table.set_index(key)[f"log10p_{TEST}"].astype(np.float64)
        value = pd.Series(chi2.isf(10.0**-found, df), index=found.index)
        one = pd.DataFrame({"chi2": value, "df": np.where(value.notna(), df, 0)}).fillna({"chi2": 0.0})
        total = one if total is None else total.add(one, fill_value=0.0)
    log10p = -chi2.logsf(total["chi2"], total["df"].clip(lower=1)) / np.log(10)
    variants = pd.concat(tables).drop_duplicates(key).sort_values("pos", kind="stable", ignore_index=True)
    joined = pd.Series(np.where(total["df"] > 0, log10p, np.nan), index=total.index)
    return variants.assign(**{f"log10p_{TEST}": joined.loc[pd.MultiIndex.from_frame(variants[key])].to_numpy()})


def _validation_outputs(config: Mapping, cohort: stages.Cohort, gwas: stages.Gwas) -> dict[str, object]:
    """Return samples, lambda, loci, and their comparison with the ground truth."""
    rule = config["evaluate"]
    planted, large = read_truth(cohort.folder / rule["truth"], rule["large_q2"])
    loci = stages.loci_of(gwas)
    samples = pd.Index(pd.read_parquet(gwas.phenotypes)["iid"])
    pairs = linkage(cohort.genotypes, loci, large, samples)
    findings = compare(loci, planted, large, pairs, rule["kb"], rule["r2"])
    found = int(findings.planted["found"].sum())
    row = {"n_samples": len(samples), "lambda": gwas.lambdas()[TEST], "loci": len(loci)}
    return row | {"planted": len(planted), "found": found, "false": findings.false_loci}


def _bounds(config: Mapping, cohort: stages.Cohort, gwas: stages.Gwas, count: int, scratch: Path, output: Path) -> None:
    """Write lambda of the tested features after permuting samples: its variation by chance on this genome."""
    features = pd.read_parquet(gwas.phenotypes)
    design = gwas.phenotypes.with_name("covariates.parquet")
    rows = []
    for number in range(1, count + 1):
        order = np.random.default_rng([number, 11]).permutation(len(features))
        folder = scratch / "bounds"
        folder.mkdir(exist_ok=True)
        mixed = features.iloc[order].assign(iid=features["iid"].to_numpy())
        mixed.to_parquet(folder / "phenotypes.parquet")
        found = stages.scanned(config, cohort, folder / "phenotypes.parquet", design, folder)
        lambdas = read_lambda(found.summaries).set_index("test")["lambda"]
        names = [name for name in features.columns if name != "iid"]
        rows.append({"shuffle": number, "lambda": lambdas[TEST], "lambda_features": lambdas[names].mean(),
                     "loci": len(stages.loci_of(found))})  # fmt: skip
    write_tsv(pd.DataFrame(rows), output)


def _samples(gwas: stages.Gwas) -> int:
    return len(pd.read_parquet(gwas.phenotypes, columns=["iid"]))


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A temporary folder that is deleted after success. Files of an interrupted job in it are reused."""
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def _quiet(config: Mapping) -> Iterator[None]:
    """Set the log level and the number of threads of the config."""
    logging.getLogger("contigwas").setLevel(logging.ERROR)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    torch.set_num_threads(config["math_threads"])
    yield
