"""Tables of the page: HTML with a caption and scopes, and the same rows as files to download, inside the page."""

import base64
from collections.abc import Callable, Mapping

import pandas as pd
from markupsafe import Markup, escape

KINDS = {"tsv": ("\t", "text/tab-separated-values"), "csv": (",", "text/csv")}


def table(
    frame: pd.DataFrame,
    caption: str = "",
    cells: Mapping[str, Callable[[object], str]] | None = None,
    name: str | None = None,
) -> Markup:
    """A table as HTML; numbers in a few significant digits.

    `cells` maps a column to what writes its cells (text is escaped, Markup is not); `name` becomes the table's id.
    """
    writers = {column: (cells or {}).get(column, shown) for column in frame.columns}
    textual = {column for column in frame.columns if not pd.api.types.is_numeric_dtype(frame[column])}
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="t"' if column in textual else ""), column)
        for column in frame.columns
    )
    rows = []
    for values in frame.itertuples(index=False, name=None):
        parts = zip(frame.columns, values, strict=True)
        cell = Markup("").join(
            Markup("<td{}>{}</td>").format(Markup(' class="t"' if column in textual else ""), writers[column](value))
            for column, value in parts
        )
        rows.append(Markup("<tr>{}</tr>").format(cell))
    return Markup('<table class="table"{}>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(
        Markup(' id="{}"').format(name) if name else "",
        Markup("<caption>{}</caption>").format(caption) if caption else "",
        head,
        Markup("\n").join(rows),
    )


def shown(value: object) -> str:
    """A value as text: four significant digits, larger numbers to the ones, nothing for what is missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 9999.5 else f"{value:,.0f}"
    return str(value)


def grouped(value: object) -> str:
    """A whole number with commas; text, such as a count that is not reported, as it is."""
    return shown(value) if value is None or isinstance(value, str) or pd.isna(value) else f"{int(value):,}"


def fixed(digits: int) -> Callable[[object], str]:
    """What writes a number with so many digits after the point."""
    return lambda value: "" if pd.isna(value) else f"{float(value):.{digits}f}"


def downloads(frame: pd.DataFrame, stem: str) -> Markup:
    """Links to the whole table as TSV and CSV, which need neither a network nor a script."""
    links = []
    for kind, (separator, mime) in KINDS.items():
        data = base64.b64encode(frame.to_csv(sep=separator, index=False).encode()).decode()
        links.append(
            Markup('<a class="button" download="{}.{}" href="data:{};base64,{}">{}</a>').format(
                stem, kind, mime, data, f"Download {kind.upper()}"
            )
        )
    return escape("").join(links)
