"""Plans that cannot work, or hardly: too few people for components, covariates, batches and the test."""

from collections.abc import Mapping

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.preflight.context import Study

PER_COVARIATE, FEWEST = 10, 100  # people: below either a test over a few features is hardly worth a run


def check(study: Study) -> None:
    """Compare what the config asks for with the people that there are."""
    analysed = study.analysed
    if analysed is None or not len(analysed):
        return
    pcs = study.config["genotypes"]["pcs"]
    if pcs >= len(analysed):
        study.findings.error(
            "genotypes.pcs", f"genotypes.pcs is {pcs}, but only {len(analysed)} people are analysed: lower it"
        )
    for model, recipe in study.config["models"].items():
        if "method" in recipe:
            _batch(study, model, recipe)
        _tested(study, model, recipe)


def _batch(study: Study, model: str, recipe: Mapping) -> None:
    """A batch must not be larger than the people who train in a fold."""
    people = _seen(study, recipe)
    if people is None or not len(people):
        return
    folds, samples = config_settings.folds(study.config, model), study.config["samples"]
    heldout = samples["heldout"] if recipe.get("modalities") else 0
    share = (1 - 1 / folds if folds > 1 else 1 - heldout) * (1 - samples["validation"])
    train = int(share * len(people))
    key = f"models.{model}"
    study.counts[f"training people of {model}"] = train
    if recipe.get("batch", 1) > train:
        study.findings.error(
            f"{key}.batch",
            f"a batch is {recipe['batch']} people, but only about {train} can be trained on in a fold of {model}: "
            "lower batch, or take fewer folds",
        )
    elif recipe.get("batch", 0) * 2 > train:
        study.findings.warn(
            f"{key}.batch",
            f"about {train} people train in a fold of {model}, which is fewer than two batches of {recipe['batch']}: "
            "lower batch, or contrasts will be few",
        )


def _seen(study: Study, recipe: Mapping) -> pd.Index | None:
    """Who may train: those with an image, of a recipe of `inner` those with every modality that is known here."""
    people = study.imaged
    if people is None or recipe.get("aggregate") != "inner":
        return people
    for name in recipe["modalities"]:
        source = {"burden": "exome", "covariates": "covariates"}.get(name, name)
        if source in study.people:
            people = people[people.isin(study.people[source])]
    return people


def _tested(study: Study, model: str, recipe: Mapping) -> None:
    """How many people the GWAS of a model has, against its covariates."""
    people, share, key = study.imaged, 1.0, f"models.{model}"
    for kind in ("phenotypes", "embeddings"):
        if isinstance(recipe.get(kind), str):
            people = study.people.get(f"{model} ({kind})")
    if people is None:
        return
    remedy = "bring more people, or shorten gwas.covariates"
    if recipe.get("modalities") and config_settings.folds(study.config, model) == 1:
        share = study.config["samples"]["heldout"]
        remedy = "raise samples.heldout, or cross-fit with folds: 3 or more, which tests everyone"
    tested = int((study.analysed.get_indexer(people) >= 0).sum() * share)
    study.counts[f"tested people of {model}"] = tested
    covariates = int(study.counts.get("covariates", 0))
    if tested <= covariates + 1:
        study.findings.error(
            key, f"about {tested} people would be tested with {covariates} covariates, which leaves nothing: {remedy}"
        )
    elif tested < max(FEWEST, PER_COVARIATE * covariates):
        study.findings.warn(key, f"only about {tested} people would be tested, with {covariates} covariates: {remedy}")
