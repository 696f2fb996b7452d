"""Check that there are enough samples for genetic PCs, covariates, batches and the GWAS."""

from collections.abc import Mapping

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.preflight.context import PreflightContext

MIN_PER_COVARIATE, MIN_TESTED = 10, 100  # samples below which a GWAS has hardly any power


def check(context: PreflightContext) -> None:
    """Compare the settings of the config with the number of samples."""
    analysed = context.analysed
    if analysed is None or not len(analysed):
        return
    pcs = context.config["genotypes"]["pcs"]
    if pcs >= len(analysed):
        context.findings.error(
            "genotypes.pcs", f"genotypes.pcs is {pcs}, but only {len(analysed)} samples are analysed: lower it"
        )
    for model, recipe in context.config["models"].items():
        if "method" in recipe:
            _check_batch(context, model, recipe)
        _check_tested(context, model, recipe)


def _check_batch(context: PreflightContext, model: str, recipe: Mapping) -> None:
    """Add an error if a batch is larger than the number of training samples of a fold."""
    samples = _training_samples(context, recipe)
    if samples is None or not len(samples):
        return
    folds, settings = config_settings.folds(context.config, model), context.config["samples"]
    heldout = settings["heldout"] if recipe.get("modalities") else 0
    share = (1 - 1 / folds if folds > 1 else 1 - heldout) * (1 - settings["validation"])
    train = int(share * len(samples))
    key = f"models.{model}"
    context.counts[f"training samples of {model}"] = train
    if recipe.get("batch", 1) > train:
        context.findings.error(
            f"{key}.batch",
            f"batch is {recipe['batch']}, but a fold of {model} has only about {train} training samples: lower batch, "
            "or use fewer folds",
        )
    elif recipe.get("batch", 0) * 2 > train:
        context.findings.warn(
            f"{key}.batch",
            f"a fold of {model} has about {train} training samples, fewer than two batches of {recipe['batch']}: lower "
            "batch for more steps per epoch",
        )


def _training_samples(context: PreflightContext, recipe: Mapping) -> pd.Index | None:
    """Samples with an image and, if `aggregate` is `inner`, with every modality whose samples are known."""
    samples = context.imaged
    if samples is None or recipe.get("aggregate") != "inner":
        return samples
    for name in recipe["modalities"]:
        source = {"burden": "exome", "covariates": "covariates"}.get(name, name)
        if source in context.samples:
            samples = samples[samples.isin(context.samples[source])]
    return samples


def _check_tested(context: PreflightContext, model: str, recipe: Mapping) -> None:
    """Compare the number of tested samples of a model with the number of its covariates."""
    samples, share, key = context.imaged, 1.0, f"models.{model}"
    for kind in ("phenotypes", "embeddings"):
        if isinstance(recipe.get(kind), str):
            samples = context.samples.get(f"{model} ({kind})")
    if samples is None:
        return
    remedy = "supply more samples, or shorten gwas.covariates"
    if recipe.get("modalities") and config_settings.folds(context.config, model) == 1:
        share = context.config["samples"]["heldout"]
        remedy = "raise samples.heldout, or cross-fit with folds: 3 or more, which tests all samples"
    tested = int((context.analysed.get_indexer(samples) >= 0).sum() * share)
    context.counts[f"tested samples of {model}"] = tested
    covariates = int(context.counts.get("covariates", 0))
    if tested <= covariates + 1:
        context.findings.error(
            key,
            f"about {tested} samples would be tested with {covariates} covariates, which leaves no degrees of freedom: "
            f"{remedy}",
        )
    elif tested < max(MIN_TESTED, MIN_PER_COVARIATE * covariates):
        context.findings.warn(
            key, f"only about {tested} samples would be tested, with {covariates} covariates: {remedy}"
        )
