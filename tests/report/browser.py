"""Opening the page in a browser without a network, with everything noted that it asks for and complains about."""

from contextlib import contextmanager
from pathlib import Path

LOCAL = ("file:", "data:", "blob:")
WAIT = 60_000  # milliseconds, for a busy machine


@contextmanager
def opened(browser, path: Path, width: int = 1400, scheme: str = "light", ready: bool = True):
    """The page, and the list of its faults: requests that leave, errors, what the console warns of."""
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", offline=True)
    context.set_default_timeout(WAIT)
    page, faults = context.new_page(), []
    page.on("request", lambda one: None if one.url.startswith(LOCAL) else faults.append(f"request: {one.url}"))
    page.on("pageerror", lambda one: faults.append(f"error: {one}"))
    page.on("console", lambda one: faults.append(f"console: {one.text}") if one.type in ("error", "warning") else None)
    page.goto(path.as_uri())
    if ready:
        page.wait_for_selector("html[data-tables=ready]", state="attached")
        for number in range(page.locator("[data-manhattan]").count()):
            place = page.locator("[data-manhattan]").nth(number)
            place.scroll_into_view_if_needed()
            page.wait_for_function("one => one.dataset.state === 'ready'", arg=place.element_handle())
        page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
    try:
        yield page, faults
    finally:
        context.close()


def hit_on_screen(page, model: str, row: int) -> tuple[float, float]:
    """Where a hit of the plot lies in the window, by the plot's own scales."""
    place = page.evaluate(
        """([model, row]) => {
            const plot = contigwas.plots[model], hits = plot.source("hits").data;
            const { el, frame } = Bokeh.index.find_one(plot.plot), box = el.getBoundingClientRect();
            return [frame.x_scale.compute(hits.x[row]) + box.left, frame.y_scale.compute(hits.y[row]) + box.top];
        }""",
        [model, row],
    )
    return place[0], place[1]
