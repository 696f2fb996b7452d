"""The page of the small demo, as the workflow makes it, in a browser."""

import pandas as pd

from tests.report.browser import opened


def test_the_page_of_a_run_works(chromium, finished):
    results = finished.folder / "results"
    loci = pd.read_csv(results / "models/latents/loci.tsv", sep="\t")
    with opened(chromium, results / "report.html") as (page, faults):
        hits = page.evaluate("contigwas.plots.latents.source('hits').data")
        lead = loci.sort_values("log10p")["lead_id"].iloc[0]
        row = hits["id"].index(lead)
        region = page.locator(f"#latents-locus-{int(loci.set_index('lead_id').loc[lead, 'locus'])}")
        page.locator("#plot-latents").scroll_into_view_if_needed()
        assert not region.locator("img").is_visible()
        page.evaluate("row => contigwas.plots.latents.source('hits').selected.indices = [row]", row)
        region.locator("img").wait_for(state="visible")
        assert lead in region.locator("summary").inner_text()
        assert page.locator("#methods .references li").count() > 10
        assert page.locator("#cohort").get_by_text("360 samples named by any input").count() == 1
    assert faults == []
