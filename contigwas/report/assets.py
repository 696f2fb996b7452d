"""Scripts and styles that stand inside the page: Bokeh's core, DataTables as itables bundles it, and our own."""

import base64
from importlib import resources

import bokeh
import itables

KEYS = ("css", "js", "bokeh", "tables")


def assets() -> dict[str, str]:
    """css and js are ours; bokeh is a script; tables is a module as a data URI, for import."""
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
    # an element ends at its closing tag, wherever that stands
    return {key: value.replace("</script", "<\\/script") for key, value in zip(KEYS, values, strict=True)}
