"""Compare all models of a inputs: write the tables of docs/evaluation.md and the figure."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.downstream.folds import family_codes
from contigwas.evaluate import tables
from contigwas.evaluate.common_samples import has_p, read_counts
from contigwas.evaluate.figure import draw
from contigwas.evaluate.ground_truth import ALLELES, Findings, compare, linkage, read_truth
from contigwas.evaluate.heritability import COLUMNS as HERITABILITY
from contigwas.evaluate.heritability import explained
from contigwas.evaluate.probes import probe
from contigwas.evaluate.shared_loci import shared
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.gwas.samples import tested_samples
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
MAX_LD_SAMPLES = 20_000  # for r2 between lead variants
PLANTED = ["model", "id", "chrom", "pos", "latent", "q2", "found", "lead_id"]
SINGLE = ("loci", "phenotypes", "covariates", "embeddings", "common_sample_loci")  # kinds with one file per model
PROBES = ["model", "latent", "r2", "n_samples"]


@dataclass(frozen=True)
class Model:
    """Files of a model: its GWAS and, if present, embeddings, training histories and results among common samples."""

    loci: PathLike
    summaries: Sequence[PathLike]
    phenotypes: PathLike
    covariates: PathLike
    embeddings: PathLike | None = None
    histories: Sequence[PathLike] = ()
    common_sample_loci: PathLike | None = None
    common_sample_summaries: Sequence[PathLike] = ()


@dataclass(frozen=True)
class EvaluationInputs:
    """Inputs that the models share.

    genotype_files: files of the tested genotypes; chrom: a chromosome of them; ground_truth: causal variants, if known;
    latents: simulated traits, if known; cohort: cohort.tsv, for the families; counts, samples: outputs of
    `write_common_samples`; tasks: model, task and kind of each file in `scores`; scores: scores of downstream tasks;
    attributions: attributions.tsv.
    """

    genotype_files: GenotypeFiles
    chrom: str
    ground_truth: PathLike | None = None
    latents: PathLike | None = None
    cohort: PathLike | None = None
    counts: PathLike | None = None
    samples: PathLike | None = None
    tasks: Sequence[tuple[str, str, str]] = ()
    scores: Sequence[PathLike] = ()
    attributions: PathLike | None = None


def models_of(
    files: Mapping[str, Sequence[PathLike]],
    models: Sequence[str],
    embedded: Sequence[str] = (),
    trained: Sequence[tuple[str, int]] = (),
    compared: Sequence[str] = (),
) -> dict[str, Model]:
    """Return the files of each model, from lists that are ordered by model.

    `files` has loci, summaries (the same number for each model), phenotypes and covariates of all `models`; embeddings
    of the models `embedded`; histories of the models `trained` (with their numbers of folds); common_sample_loci and
    common_sample_summaries of the models `compared`. Raises ValueError if a list has not the right number of files.
    """
    folds = dict(trained)
    owners = {"loci": models, "summaries": models, "phenotypes": models, "covariates": models, "embeddings": embedded}
    owners |= {"histories": list(folds), "common_sample_loci": compared, "common_sample_summaries": compared}
    parts = {model: {} for model in models}
    for kind, names in owners.items():
        left = list(files[kind])
        share = len(left) // max(len(names), 1)
        for model in names:
            count = folds[model] if kind == "histories" else share
            paths, left = left[:count], left[count:]
            if len(paths) != count or (kind in SINGLE and count != 1):
                raise ValueError(f"{model} has {len(paths)} files of {kind}")
            parts[model][kind] = paths[0] if kind in SINGLE else paths
        if left:
            raise ValueError(f"{len(left)} files of {kind} belong to no model")
    return {model: Model(**part) for model, part in parts.items()}


def evaluate(
    models: Mapping[str, Model],
    inputs: EvaluationInputs,
    settings: Mapping[str, object],
    outputs: Mapping[str, PathLike],
) -> None:
    """Write the tables of docs/evaluation.md and the figure that compares the models.

    `settings` has kb, r2, large_q2 (see `contigwas.evaluate.ground_truth`), loci_kb, test, build and seed. `outputs`
    are the paths of the tables models, planted, probes, loci_shared, calibration, heritability, retrieval and
    downstream, and of png and pdf.
    """
    loci = {model: _read_loci(one.loci) for model, one in models.items()}
    genotypes = open_genotypes(inputs.genotype_files, inputs.chrom)
    samples = {
        model: tested_samples(genotypes, one.phenotypes, one.covariates).features.index for model, one in models.items()
    }
    common_loci, counts = _read_common_samples_loci(models, inputs, settings["test"])
    common_iids = pd.Index(pd.read_parquet(inputs.samples)["iid"]) if common_loci else None
    compared = common_loci or loci
    pairs, of_model = shared(compared, inputs.genotype_files, _ld_samples(samples), settings["loci_kb"], settings["r2"])
    ground_truth = read_truth(inputs.ground_truth, settings["large_q2"]) if inputs.ground_truth else None
    calibration = pd.concat([tables.calibration(model, one.summaries) for model, one in models.items()])
    heritability = _heritability(models, compared, inputs, common_iids, settings)
    rows, planted = [], []
    for model in models:
        row = {"model": model, "n_samples": len(samples[model]), "features": _features(models[model].phenotypes)}
        row |= _lambda(calibration, model, settings["test"]) | {"loci": len(loci[model])}
        if ground_truth is not None:
            findings = _compare_with_ground_truth(ground_truth, loci[model], inputs, samples[model], settings)
            row |= _power(findings, len(loci[model]))
            planted.append(findings.planted.assign(model=model))
        row |= _common_samples_row(model, counts, common_loci, ground_truth, inputs, common_iids, settings)
        row |= {
            f"{name}_loci": int(of_model.loc[model, name]) if model in compared else pd.NA
            for name in ("shared", "private")
        }
        r2 = heritability.loc[heritability["model"] == model, "adjusted_r2"]
        row |= {"h2_lead_variants": r2.mean(), "h2_lead_variants_sum": r2.sum(min_count=1)}
        rows.append(row)
    written = {
        "models": pd.DataFrame(rows),
        "planted": pd.concat(planted)[PLANTED] if planted else pd.DataFrame(columns=PLANTED),
        "probes": _probes(models, inputs, samples, settings["seed"]),
        "loci_shared": pairs.assign(samples="common" if common_loci else "own"),
        "calibration": calibration,
        "heritability": heritability,
        "retrieval": pd.concat([tables.retrieval(model, one.histories) for model, one in models.items()]),
        "downstream": tables.downstream(inputs.tasks, inputs.scores),
    }
    for name, table in written.items():
        write_tsv(table, outputs[name])
    attributions = read_table(inputs.attributions) if inputs.attributions else pd.DataFrame()
    draw({**written, "attributions": attributions}, [outputs["png"], outputs["pdf"]])
    log.info(
        "%d models compared, %d planted variants",
        len(models),
        0 if ground_truth is None else (ground_truth["kind"] == "planted").sum(),
    )


def _read_loci(path: PathLike) -> pd.DataFrame:
    table = read_table(path, ["lead_id", "chrom", "pos", *ALLELES], "loci")
    return table.astype({"chrom": str, "pos": np.int64} | dict.fromkeys(ALLELES, str))


def _features(phenotypes: PathLike) -> int:
    return pd.read_parquet(phenotypes).shape[1] - 1


def _ld_samples(samples: Mapping[str, pd.Index]) -> pd.Index:
    """Return at most 20,000 of the samples that any model tests. More would need memory and hardly change r2."""
    tested = sorted(set().union(*samples.values()))
    return pd.Index(tested[:: -(-len(tested) // MAX_LD_SAMPLES)])


def _read_common_samples_loci(
    models: Mapping[str, Model], inputs: EvaluationInputs, test: str
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
    """Return the loci of each model among the common samples (none if these are too few), and the counts, if any.

    A model whose GWAS among them has no p-value of `test` is left out.
    """
    if inputs.counts is None:
        return {}, None
    counts = read_counts(inputs.counts)
    if not (counts["identical"] | counts["rerun"]).any():
        log.warning(
            "no loci among common samples: only %d samples are tested by all models", counts["n_common_samples"].iloc[0]
        )
        return {}, counts
    loci = {}
    for model, one in models.items():
        if has_p(one.summaries if counts.loc[model, "identical"] else one.common_sample_summaries, test):
            loci[model] = _read_loci(one.common_sample_loci)
        else:
            log.warning("%s has no p-value of %s among the common samples and is left out there", model, test)
    return loci, counts


def _lambda(calibration: pd.DataFrame, model: str, test: str) -> dict[str, float]:
    one = calibration[(calibration["model"] == model) & (calibration["test"] == test)].iloc[0]
    return {"lambda": one["lambda"], "lambda_low": one["low"], "lambda_high": one["high"]}


def _compare_with_ground_truth(
    ground_truth: pd.DataFrame,
    loci: pd.DataFrame,
    inputs: EvaluationInputs,
    samples: pd.Index,
    settings: Mapping[str, object],
) -> Findings:
    r2 = linkage(inputs.genotype_files, loci, ground_truth, samples)
    return compare(loci, ground_truth, r2, settings["kb"], settings["r2"])


def _power(findings: Findings, loci: int) -> dict[str, float]:
    planted, hits = len(findings.planted), int(findings.planted["found"].sum())
    return {
        "planted": planted,
        "planted_found": hits,
        "false_loci": findings.false_loci,
        "power": hits / planted if planted else np.nan,
        "false_discovery": findings.false_loci / loci if loci else np.nan,
    }


def _common_samples_row(
    model: str,
    counts: pd.DataFrame | None,
    loci: Mapping[str, pd.DataFrame],
    ground_truth: pd.DataFrame | None,
    inputs: EvaluationInputs,
    iids: pd.Index | None,
    settings: Mapping[str, object],
) -> dict[str, object]:
    """Return n_common_samples, common_sample_loci and, with a ground truth, their comparison with it.

    `iids` are the common samples. If they are too few, or the model has no p-value among them, all except
    n_common_samples is NA. Without a comparison among common samples (`counts` is None) this is NA, too.
    """
    row = {"n_common_samples": pd.NA if counts is None else int(counts.loc[model, "n_common_samples"])}
    row["common_sample_loci"] = len(loci[model]) if model in loci else pd.NA
    if ground_truth is not None:
        findings = (
            _compare_with_ground_truth(ground_truth, loci[model], inputs, iids, settings) if model in loci else None
        )
        row["common_sample_planted_found"] = int(findings.planted["found"].sum()) if findings else pd.NA
        row["common_sample_false_loci"] = findings.false_loci if findings else pd.NA
    return row


def _heritability(
    models: Mapping[str, Model],
    loci: Mapping[str, pd.DataFrame],
    inputs: EvaluationInputs,
    keep: pd.Index | None,
    settings: Mapping[str, object],
) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=["model", *HERITABILITY])]
    for model, of_model in loci.items():
        one = models[model]
        files = (one.phenotypes, one.covariates)
        table = explained(of_model, inputs.genotype_files, *files, str(settings["build"]), keep)
        if len(table):
            parts.append(table.assign(model=model)[["model", *HERITABILITY]])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _probes(
    models: Mapping[str, Model], inputs: EvaluationInputs, samples: Mapping[str, pd.Index], seed: int
) -> pd.DataFrame:
    embeddings = {model: one.embeddings for model, one in models.items() if one.embeddings}
    if inputs.latents is None or not embeddings:
        return pd.DataFrame(columns=PROBES)
    table = read_table(inputs.latents, ["iid"], "evaluate.latents")
    require_unique(table["iid"], inputs.latents)
    traits = table.set_index("iid").drop(columns="fid", errors="ignore")
    traits = traits.select_dtypes(np.number).dropna()
    families = pd.Series(family_codes(traits.index, inputs.cohort), traits.index)
    parts = [
        probe(path, traits[traits.index.isin(samples[model])], families, seed).assign(model=model)
        for model, path in embeddings.items()
    ]
    return pd.concat(parts)[PROBES]
