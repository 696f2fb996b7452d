"""The evaluation of a run: one row a model, one a planted variant, one a probe, and a figure."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.evaluate.figure import draw
from contigwas.evaluate.probes import probe
from contigwas.evaluate.truth import compare, linkage, read_truth
from contigwas.files import PathLike, read_table, write_tsv
from contigwas.gwas.summary import read_lambda
from contigwas.people import require_unique

log = logging.getLogger(__name__)


def evaluate(
    loci: Mapping[str, PathLike],
    summaries: Mapping[str, Sequence[PathLike]],
    phenotypes: Mapping[str, PathLike],
    embeddings: Mapping[str, PathLike],
    pattern: str,
    truth: PathLike | None,
    latents: PathLike | None,
    settings: Mapping[str, object],
    output_models: PathLike,
    output_planted: PathLike,
    output_probes: PathLike,
    output_figures: Sequence[PathLike],
) -> None:
    """Write the three tables and the figure that set the models side by side.

    models.tsv: model, people, features, lambda of the loci's test, loci and, with a truth, planted, planted_found,
    false_loci. planted.tsv: one row a planted variant and model. probes.tsv: model, latent, r2, people.
    `settings` holds kb, r2, large_q2 (see `truth.compare`), test and seed.
    """
    planted, large = read_truth(truth, settings["large_q2"]) if truth else (None, None)
    rows, found = [], []
    for model, path in loci.items():
        table = read_table(path, ["lead_id", "chrom", "pos"], "loci")
        people = pd.read_parquet(phenotypes[model])
        lambdas = read_lambda(summaries[model]).set_index("test")["lambda"]
        row = {"model": model, "people": len(people), "features": people.shape[1] - 1}
        row |= {"lambda": lambdas[settings["test"]], "loci": len(table)}
        if planted is not None:
            pairs = linkage(pattern, table, large, pd.Index(people["iid"]))
            findings = compare(table, planted, large, pairs, settings["kb"], settings["r2"])
            row |= {"planted": len(planted), "planted_found": int(findings.planted["found"].sum())}
            row |= {"false_loci": findings.false_loci}
            found.append(findings.planted.assign(model=model))
        rows.append(row)
    models = pd.DataFrame(rows)
    write_tsv(models, output_models)
    columns = ["model", "id", "chrom", "pos", "latent", "q2", "found", "lead_id"]
    write_tsv(pd.concat(found)[columns] if found else pd.DataFrame(columns=columns), output_planted)

    probes = _probes(embeddings, latents, settings["seed"])
    write_tsv(probes, output_probes)
    draw(models, probes, output_figures)
    log.info("%d models compared, %d planted variants", len(models), 0 if planted is None else len(planted))


def _probes(embeddings: Mapping[str, PathLike], latents: PathLike | None, seed: int) -> pd.DataFrame:
    columns = ["model", "latent", "r2", "people"]
    if latents is None or not embeddings:
        return pd.DataFrame(columns=columns)
    table = read_table(latents, ["iid"], "evaluate.latents")
    require_unique(table["iid"], latents)
    traits = table.set_index("iid").drop(columns="fid", errors="ignore")
    traits = traits.select_dtypes(np.number).dropna()
    return pd.concat([probe(path, traits, seed).assign(model=model) for model, path in embeddings.items()])[columns]
