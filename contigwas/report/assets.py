"""Scripts and styles embedded in the page: the core of Bokeh, DataTables as bundled by itables, and our own files."""

import base64
from importlib import resources

import bokeh
import itables

KEYS = ("css", "js", "bokeh", "tables")


def assets() -> dict[str, str]:
    """Return css and js (our own), bokeh (a script) and tables (a module as a data URI)."""
    own = resources.files("contigwas.report") / "static"
    scripts = resources.files(bokeh) / "server" / "static" / "js"
    bundle = resources.files(itables) / "html"
    module = base64.b64encode((bundle / "dt_bundle.js").read_bytes()).decode()
    values = (
        (own / "report.css").read_text(),
        (own / "report.js").read_text(),
        (scripts / "bokeh.min.js").read_text(),
        f"data:text/javascript;base64,{module}",
    )
    # a script element ends at the first closing tag, even inside a string
    return {key: value.replace("</script", "<\\/script") for key, value in zip(KEYS, values, strict=True)}
