"""The first lines of the page: what was found, in sentences and in one table."""

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from contigwas.plots.style import TESTS, p_text
from contigwas.report.models import Model
from contigwas.report.tables import fixed, grouped, table
from contigwas.report.wording import listed, plural


def sentences(parts: Mapping[str, Model], models: pd.DataFrame, config: Mapping) -> list[str]:
    """A few sentences: samples and variants tested, loci of each model, and planted ones where they are known.

    `models` is models.tsv of the evaluation.
    """
    samples = {part.samples for part in parts.values()}
    variants = {part.manhattan.tested for part in parts.values()}
    test, p1 = config["loci"]["test"], p_text(config["loci"]["p1"])
    found = listed(f"{name} finds {plural(len(part.loci), 'locus', 'loci')}" for name, part in parts.items())
    said = [
        f"{_span(samples)} samples and {_span(variants)} variants were tested with the features of "
        f"{plural(len(parts), 'model')}.",
        f"At p ≤ {p1} by {TESTS.get(test, test)}, {found}.",
    ]
    if "planted_found" in models:
        planted = int(models["planted"].max())
        known = models.set_index("model")
        pairs = [(name, known.loc[name]) for name in parts]
        of_each = listed(f"{int(row['planted_found'])} by {name}" for name, row in pairs)
        false = listed(f"{int(row['false_loci'])} by {name}" for name, row in pairs if row["false_loci"])
        said.append(
            f"The truth of this cohort is known: of {plural(planted, 'planted variant')}, {of_each} were found; "
            f"false loci: {false or 'none'}."
        )
    return said


def glance(parts: Mapping[str, Model], models: pd.DataFrame) -> Markup:
    """A table, one row a model: what it is, what was tested, lambda, loci, and the ground truth where it is known."""
    known = models.set_index("model")
    rows = []
    for name, part in parts.items():
        row = {"model": name, "what it is": part.kind, "samples": part.samples, "features": part.features}
        row |= {"λ": float(known.loc[name, "lambda"]), "loci": len(part.loci)}
        if "planted_found" in known:
            one = known.loc[name]
            row |= {"planted variants": int(one["planted"]), "found": int(one["planted_found"])}
            row |= {"false loci": int(one["false_loci"])}
        rows.append(row)
    cells = {"model": _linked, "samples": grouped, "λ": fixed(2)}
    return table(pd.DataFrame(rows), "Models at a glance", cells)


def _linked(name: object) -> Markup:
    return Markup('<a href="#model-{}">{}</a>').format(name, name)


def _span(counts: set[int]) -> str:
    """One number, or the least and the largest."""
    return f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
