"""Plans that cannot work, or hardly: too few samples for components, covariates, batches and the test."""

from collections.abc import Mapping

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.preflight.context import Study

PER_COVARIATE, FEWEST = 10, 100  # samples: below either a test over a few features is hardly worth a run


def check(study: Study) -> None:
    """Compare what the config asks for with the samples that there are."""
    analysed = study.analysed
    if analysed is None or not len(analysed):
        return
    pcs = study.config["genotypes"]["pcs"]
    if pcs >= len(analysed):
        study.findings.error(
            "genotypes.pcs", f"genotypes.pcs is {pcs}, but only {len(analysed)} samples are analysed: lower it"
        )
    for model, recipe in study.config["models"].items():
        if "method" in recipe:
            _batch(study, model, recipe)
        _tested(study, model, recipe)


def _batch(study: Study, model: str, recipe: Mapping) -> None:
    """A batch must not be larger than the samples that train in a fold."""
    samples = _seen(study, recipe)
    if samples is None or not len(samples):
        return
    folds, samples = config_settings.folds(study.config, model), study.config["samples"]
    heldout = samples["heldout"] if recipe.get("modalities") else 0
    share = (1 - 1 / folds if folds > 1 else 1 - heldout) * (1 - samples["validation"])
    train = int(share * len(samples))
    key = f"models.{model}"
    study.counts[f"training samples of {model}"] = train
    if recipe.get("batch", 1) > train:
        study.findings.error(
            f"{key}.batch",
            f"a batch is {recipe['batch']} samples, but only about {train} can be trained on in a fold of {model}: "
            "lower batch, or take fewer folds",
        )
    elif recipe.get("batch", 0) * 2 > train:
        study.findings.warn(
            f"{key}.batch",
            f"about {train} samples train in a fold of {model}, which is fewer than two batches of {recipe['batch']}: "
            "lower batch, or contrasts will be few",
        )


def _seen(study: Study, recipe: Mapping) -> pd.Index | None:
    """Who may train: those with an image, of a recipe of `inner` those with every modality that is known here."""
    samples = study.imaged
    if samples is None or recipe.get("aggregate") != "inner":
        return samples
    for name in recipe["modalities"]:
        source = {"burden": "exome", "covariates": "covariates"}.get(name, name)
        if source in study.samples:
            samples = samples[samples.isin(study.samples[source])]
    return samples


def _tested(study: Study, model: str, recipe: Mapping) -> None:
    """How many samples the GWAS of a model has, against its covariates."""
    samples, share, key = study.imaged, 1.0, f"models.{model}"
    for kind in ("phenotypes", "embeddings"):
        if isinstance(recipe.get(kind), str):
            samples = study.samples.get(f"{model} ({kind})")
    if samples is None:
        return
    remedy = "supply more samples, or shorten gwas.covariates"
    if recipe.get("modalities") and config_settings.folds(study.config, model) == 1:
        share = study.config["samples"]["heldout"]
        remedy = "raise samples.heldout, or cross-fit with folds: 3 or more, which tests everyone"
    tested = int((study.analysed.get_indexer(samples) >= 0).sum() * share)
    study.counts[f"tested samples of {model}"] = tested
    covariates = int(study.counts.get("covariates", 0))
    if tested <= covariates + 1:
        study.findings.error(
            key, f"about {tested} samples would be tested with {covariates} covariates, which leaves nothing: {remedy}"
        )
    elif tested < max(FEWEST, PER_COVARIATE * covariates):
        study.findings.warn(key, f"only about {tested} samples would be tested, with {covariates} covariates: {remedy}")
