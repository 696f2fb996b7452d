"""Tables of the page: accessible HTML, and embedded files to download."""

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
    """Return a table as HTML, by default with numbers of four significant digits.

    `cells` maps a column to the function that formats its cells (text is escaped, Markup is not); `name` is the HTML
    id.
    """
    writers = {column: (cells or {}).get(column, format_value) for column in frame.columns}
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


def format_value(value: object) -> str:
    """Return a value as text: four significant digits, large numbers as integers, missing values as empty text."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 9999.5 else f"{value:,.0f}"
    return str(value)


def grouped(value: object) -> str:
    """Return an integer with thousands separators; text, such as a hidden count, is unchanged."""
    return format_value(value) if value is None or isinstance(value, str) or pd.isna(value) else f"{int(value):,}"


def fixed(digits: int) -> Callable[[object], str]:
    """Return a function that formats a number with `digits` decimal places."""
    return lambda value: "" if pd.isna(value) else f"{float(value):.{digits}f}"


def downloads(frame: pd.DataFrame, stem: str) -> Markup:
    """Return links to download the table as TSV and CSV, which work without network and scripts."""
    links = []
    for kind, (separator, mime) in KINDS.items():
        data = base64.b64encode(frame.to_csv(sep=separator, index=False).encode()).decode()
        links.append(
            Markup('<a class="button" download="{}.{}" href="data:{};base64,{}">{}</a>').format(
                stem, kind, mime, data, f"Download {kind.upper()}"
            )
        )
    return escape("").join(links)
