"""The evaluation of a run: one row a model, one a planted variant, one a probe, and so on, and a figure of it all."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.downstream.folds import families_of
from contigwas.evaluate import tables
from contigwas.evaluate.common_samples import has_p, read_counts
from contigwas.evaluate.figure import draw
from contigwas.evaluate.ground_truth import ALLELES, compare, linkage, read_truth
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
MOST = 20_000  # samples among whom r2 between leads is measured
PLANTED = ["model", "id", "chrom", "pos", "latent", "q2", "found", "lead_id"]
SINGLE = ("loci", "phenotypes", "covariates", "embeddings", "common_sample_loci")  # one file a model
PROBES = ["model", "latent", "r2", "n_samples"]


@dataclass(frozen=True)
class Model:
    """The files of a model: of its GWAS, and where there are any, features, histories and those at common samples."""

    loci: PathLike
    summaries: Sequence[PathLike]
    phenotypes: PathLike
    covariates: PathLike
    embeddings: PathLike | None = None
    histories: Sequence[PathLike] = ()
    common_sample_loci: PathLike | None = None
    common_sample_summaries: Sequence[PathLike] = ()


@dataclass(frozen=True)
class Study:
    """What the models have in common.

    genotype_files: the tested genotypes. chrom: the chromosome whose samples are tested. truth, latents: causal variants
    and simulated traits, where known. cohort: cohort.tsv, for the families of whom `latents` names. counts, samples: how many
    samples all models test, and who they are. tasks: model, task and kind of each of the `scores` of downstream.
    attributions: attributions.tsv.
    """

    genotype_files: GenotypeFiles
    chrom: str
    truth: PathLike | None = None
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
    equal: Sequence[str] = (),
) -> dict[str, Model]:
    """The files of each of `models`, from lists that hold them model after model.

    `files` holds loci, summaries (as many of each model), phenotypes and covariates of all `models`, embeddings of the
    `embedded`, histories of the `trained` (each with how many it has), common_sample_loci and common_sample_summaries of the `equal`.
    Raises ValueError where a list does not go into its models.
    """
    folds = dict(trained)
    owners = {"loci": models, "summaries": models, "phenotypes": models, "covariates": models, "embeddings": embedded}
    owners |= {"histories": list(folds), "common_sample_loci": equal, "common_sample_summaries": equal}
    parts = {model: {} for model in models}
    for kind, names in owners.items():
        left = list(files[kind])
        share = len(left) // max(len(names), 1)
        for model in names:
            count = folds[model] if kind == "histories" else share
            mine, left = left[:count], left[count:]
            if len(mine) != count or (kind in SINGLE and count != 1):
                raise ValueError(f"{model} has {len(mine)} files of {kind}")
            parts[model][kind] = mine[0] if kind in SINGLE else mine
        if left:
            raise ValueError(f"{len(left)} files of {kind} are of no model")
    return {model: Model(**part) for model, part in parts.items()}


def evaluate(
    models: Mapping[str, Model], study: Study, settings: Mapping[str, object], outputs: Mapping[str, PathLike]
) -> None:
    """Write the tables of docs/evaluation.md and the figure that set the models side by side.

    `settings` holds kb, r2, large_q2 (see `truth.compare`), loci_kb, test, build and seed. `outputs` are paths
    of the tables models, planted, probes, loci_shared, calibration, heritability, retrieval and downstream, and of png
    and pdf.
    """
    loci = {model: _read_loci(one.loci) for model, one in models.items()}
    genotypes = open_genotypes(study.genotype_files, study.chrom)
    samples = {
        model: tested_samples(genotypes, one.phenotypes, one.covariates).features.index for model, one in models.items()
    }
    equal, counts = _equal(models, study, settings["test"])
    everyone = pd.Index(pd.read_parquet(study.samples)["iid"]) if equal else None
    compared = equal or loci
    both, of_model = shared(compared, study.genotype_files, _some(samples), settings["loci_kb"], settings["r2"])
    truth = read_truth(study.truth, settings["large_q2"]) if study.truth else None
    inflated = pd.concat([tables.calibration(model, one.summaries) for model, one in models.items()])
    explains = _heritability(models, compared, study, everyone, settings)
    rows, found = [], []
    for model in models:
        row = {"model": model, "n_samples": len(samples[model]), "features": _features(models[model].phenotypes)}
        row |= _lambda(inflated, model, settings["test"]) | {"loci": len(loci[model])}
        if truth is not None:
            seen = _against(truth, loci[model], study, samples[model], settings)
            row |= _found(seen, len(loci[model]))
            found.append(seen.planted.assign(model=model))
        row |= _at_common_samples(model, counts, equal, truth, study, everyone, settings)
        row |= {
            f"{name}_loci": int(of_model.loc[model, name]) if model in compared else pd.NA
            for name in ("shared", "private")
        }
        r2 = explains.loc[explains["model"] == model, "adjusted_r2"]
        row |= {"h2_leads": r2.mean(), "h2_leads_sum": r2.sum(min_count=1)}
        rows.append(row)
    written = {
        "models": pd.DataFrame(rows),
        "planted": pd.concat(found)[PLANTED] if found else pd.DataFrame(columns=PLANTED),
        "probes": _probes(models, study, samples, settings["seed"]),
        "loci_shared": both.assign(samples="common" if equal else "own"),
        "calibration": inflated,
        "heritability": explains,
        "retrieval": pd.concat([tables.retrieval(model, one.histories) for model, one in models.items()]),
        "downstream": tables.downstream(study.tasks, study.scores),
    }
    for name, table in written.items():
        write_tsv(table, outputs[name])
    ranked = read_table(study.attributions) if study.attributions else pd.DataFrame()
    draw({**written, "attributions": ranked}, [outputs["png"], outputs["pdf"]])
    log.info(
        "%d models compared, %d planted variants",
        len(models),
        0 if truth is None else (truth["kind"] == "planted").sum(),
    )


def _read_loci(path: PathLike) -> pd.DataFrame:
    table = read_table(path, ["lead_id", "chrom", "pos", *ALLELES], "loci")
    return table.astype({"chrom": str, "pos": np.int64} | dict.fromkeys(ALLELES, str))


def _features(phenotypes: PathLike) -> int:
    return pd.read_parquet(phenotypes).shape[1] - 1


def _some(samples: Mapping[str, pd.Index]) -> pd.Index:
    """The tested samples of any model, at most 20,000: r2 among more is hardly another, and takes more memory."""
    everyone = sorted(set().union(*samples.values()))
    return pd.Index(everyone[:: -(-len(everyone) // MOST)])


def _equal(models: Mapping[str, Model], study: Study, test: str) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
    """The loci of each model at common samples, none where these are too few; and the counts, where there are any.

    A model whose GWAS among them has no p of `test` is left out.
    """
    if study.counts is None:
        return {}, None
    counts = read_counts(study.counts)
    if not (counts["same"] | counts["again"]).any():
        log.warning(
            "only %d samples are tested by all models: no loci at common samples", counts["n_common_samples"].iloc[0]
        )
        return {}, counts
    loci = {}
    for model, one in models.items():
        if has_p(one.summaries if counts.loc[model, "same"] else one.common_sample_summaries, test):
            loci[model] = _read_loci(one.common_sample_loci)
        else:
            log.warning("%s has no p of %s at common samples: it has no loci there", model, test)
    return loci, counts


def _lambda(inflated: pd.DataFrame, model: str, test: str) -> dict[str, float]:
    one = inflated[(inflated["model"] == model) & (inflated["test"] == test)].iloc[0]
    return {"lambda": one["lambda"], "lambda_low": one["low"], "lambda_high": one["high"]}


def _against(truth: pd.DataFrame, loci: pd.DataFrame, study: Study, samples: pd.Index, settings: Mapping[str, object]):
    return compare(loci, truth, linkage(study.genotype_files, loci, truth, samples), settings["kb"], settings["r2"])


def _found(seen, loci: int) -> dict[str, float]:
    planted, hits = len(seen.planted), int(seen.planted["found"].sum())
    return {
        "planted": planted,
        "planted_found": hits,
        "false_loci": seen.false_loci,
        "power": hits / planted if planted else np.nan,
        "false_discovery": seen.false_loci / loci if loci else np.nan,
    }


def _at_common_samples(
    model: str,
    counts: pd.DataFrame | None,
    equal: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame | None,
    study: Study,
    everyone: pd.Index | None,
    settings: Mapping[str, object],
) -> dict[str, object]:
    """common_samples and common_sample_loci, with a truth what these found.

    `everyone` is whom all models test. Where they are too few, or leave this model without a p, only common_samples is
    not NA; where they are not asked for it is too.
    """
    row = {"n_common_samples": pd.NA if counts is None else int(counts.loc[model, "n_common_samples"])}
    row["common_sample_loci"] = len(equal[model]) if model in equal else pd.NA
    if truth is not None:
        seen = _against(truth, equal[model], study, everyone, settings) if model in equal else None
        row["common_sample_planted_found"] = int(seen.planted["found"].sum()) if seen else pd.NA
        row["common_sample_false_loci"] = seen.false_loci if seen else pd.NA
    return row


def _heritability(
    models: Mapping[str, Model],
    loci: Mapping[str, pd.DataFrame],
    study: Study,
    among: pd.Index | None,
    settings: Mapping[str, object],
) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=["model", *HERITABILITY])]
    for model, mine in loci.items():
        one = models[model]
        files = (one.phenotypes, one.covariates)
        found = explained(mine, study.genotype_files, *files, str(settings["build"]), among)
        if len(found):
            parts.append(found.assign(model=model)[["model", *HERITABILITY]])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _probes(models: Mapping[str, Model], study: Study, samples: Mapping[str, pd.Index], seed: int) -> pd.DataFrame:
    embeddings = {model: one.embeddings for model, one in models.items() if one.embeddings}
    if study.latents is None or not embeddings:
        return pd.DataFrame(columns=PROBES)
    table = read_table(study.latents, ["iid"], "evaluate.latents")
    require_unique(table["iid"], study.latents)
    traits = table.set_index("iid").drop(columns="fid", errors="ignore")
    traits = traits.select_dtypes(np.number).dropna()
    families = pd.Series(families_of(traits.index, study.cohort), traits.index)
    parts = [
        probe(path, traits[traits.index.isin(samples[model])], families, seed).assign(model=model)
        for model, path in embeddings.items()
    ]
    return pd.concat(parts)[PROBES]
