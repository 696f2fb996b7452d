"""Summary of the page: the main results in sentences and one table."""

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from contigwas.plots.style import TESTS, p_text
from contigwas.report.models import Model
from contigwas.report.tables import fixed, grouped, table
from contigwas.report.wording import listed, plural


def sentences(parts: Mapping[str, Model], models: pd.DataFrame, config: Mapping) -> list[str]:
    """Return sentences on tested samples and variants, loci of each model and, for simulated data, planted variants.

    `models` is models.tsv of the evaluation.
    """
    samples = {part.samples for part in parts.values()}
    variants = {part.manhattan.tested for part in parts.values()}
    test, p1 = config["loci"]["test"], p_text(config["loci"]["p1"])
    found = listed(f"{name} finds {plural(len(part.loci), 'locus', 'loci')}" for name, part in parts.items())
    texts = [
        f"The features of {plural(len(parts), 'model')} were tested for association with {_span(variants)} variants in "
        f"{_span(samples)} samples.",
        f"At p ≤ {p1} ({TESTS.get(test, test)}), {found}.",
    ]
    if "planted_found" in models:
        planted = int(models["planted"].max())
        by_model = models.set_index("model")
        pairs = [(name, by_model.loc[name]) for name in parts]
        of_each = listed(f"{int(row['planted_found'])} by {name}" for name, row in pairs)
        false = listed(f"{int(row['false_loci'])} by {name}" for name, row in pairs if row["false_loci"])
        texts.append(
            f"The cohort is simulated: of {plural(planted, 'planted variant')}, {of_each} were found; "
            f"false loci: {false or 'none'}."
        )
    return texts


def glance(parts: Mapping[str, Model], models: pd.DataFrame) -> Markup:
    """Return a table with one row per model: kind, samples, features, lambda, loci and, if known, the ground truth."""
    by_model = models.set_index("model")
    rows = []
    for name, part in parts.items():
        row = {"model": name, "kind": part.kind, "samples": part.samples, "features": part.features}
        row |= {"λ": float(by_model.loc[name, "lambda"]), "loci": len(part.loci)}
        if "planted_found" in by_model:
            one = by_model.loc[name]
            row |= {"planted variants": int(one["planted"]), "found": int(one["planted_found"])}
            row |= {"false loci": int(one["false_loci"])}
        rows.append(row)
    cells = {"model": _linked, "samples": grouped, "λ": fixed(2)}
    return table(pd.DataFrame(rows), "Models at a glance", cells)


def _linked(name: object) -> Markup:
    return Markup('<a href="#model-{}">{}</a>').format(name, name)


def _span(counts: set[int]) -> str:
    """Return one number, or minimum and maximum."""
    return f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
