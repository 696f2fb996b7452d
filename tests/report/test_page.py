"""The page in a browser: it needs no network, and all of it works by mouse, keyboard, on a phone and in print."""

import io
import itertools

import pandas as pd
import pytest
import yaml

from tests.report.browser import hit_on_screen, opened


@pytest.fixture(scope="module")
def seen(chromium, full_page):
    """The page on a wide screen, and what it complained of since."""
    with opened(chromium, full_page) as (page, faults):
        yield page, faults


@pytest.fixture
def page(seen):
    page, faults = seen
    yield page
    assert faults == []


@pytest.fixture(scope="module")
def loci(full_page):
    return pd.read_csv(full_page.parent / "contig/loci.tsv", sep="\t", dtype={"chrom": str})


def source(page, kind="hits", model="contig"):
    return page.evaluate("([model, kind]) => contigwas.plots[model].source(kind).data", [model, kind])


def test_it_says_what_was_found(page, loci):
    text = page.locator("#summary").inner_text()
    assert "30 samples and 2,100 variants were tested" in text
    assert f"contig finds {len(loci)} loci and traits finds 3 loci" in text
    assert "of 4 planted variants, 3 by contig and 3 by traits" in text
    flow = page.locator("#cohort").inner_text()
    assert "40 samples named by any input" in flow and "−5 too few calls" in flow
    assert "35 samples eligible for testing" in flow and "−3 rare: a low minor-allele frequency" in flow


def test_every_hit_is_drawn_and_few_others(page, full_page):
    gwas = pd.concat(pd.read_parquet(full_page.parent / f"contig/chr{chrom}.parquet") for chrom in (1, 2, 3))
    hits = gwas[gwas["log10p_manova"] >= 7.30103]
    drawn = source(page)
    assert sorted(drawn["id"]) == sorted(hits["id"]) and len(hits) >= 12
    assert set(map(float, source(page, "rest")["value"])) <= {float(f"{y:.2f}") for y in gwas["log10p_manova"]}
    assert len(source(page, "rest")["x"]) < len(gwas)


def test_a_click_on_a_hit_opens_the_region_of_its_locus(page, loci):
    hits = source(page)
    strongest = int(loci.loc[loci["log10p"].idxmax(), "locus"])
    row = next(k for k, one in enumerate(hits["locus"]) if one != strongest and hits["id"][k] in set(loci["lead_id"]))
    region = page.locator(f"#contig-locus-{hits['locus'][row]}")
    assert region.get_attribute("open") is None and not region.locator("img").is_visible()
    page.locator("#plot-contig").scroll_into_view_if_needed()
    x, y = hit_on_screen(page, "contig", row)
    page.mouse.move(x - 30, y - 5)
    page.mouse.move(x, y, steps=4)
    page.locator(".bk-tooltip-content").get_by_text(hits["id"][row], exact=True).wait_for()
    page.mouse.click(x, y)
    region.locator("img").wait_for(state="visible")
    assert hits["id"][row] in region.locator("summary").inner_text()
    assert hits["id"][row] in page.locator('[data-manhattan="contig"] [role=status]').inner_text()
    page.wait_for_function(
        f"document.querySelector('#contig-locus-{hits['locus'][row]}').getBoundingClientRect().top < 900"
    )


def test_a_hit_outside_the_plot_of_its_locus_opens_none(page):
    hits = source(page)
    row = next(k for k, one in enumerate(hits["locus"]) if one != "none")
    region = page.locator(f"#contig-locus-{hits['locus'][row]}")
    region.evaluate("one => one.open = false")
    page.evaluate(
        """row => {
            const one = contigwas.plots.contig;
            one.source("hits").data.drawn[row] = false;
            one.source("hits").selected.indices = [row];
            one.source("hits").data.drawn[row] = true;
        }""",
        row,
    )
    said = page.locator('[data-manhattan="contig"] [role=status]').inner_text()
    assert said.endswith(f"locus {hits['locus'][row]}, outside its regional plot.") and hits["id"][row] in said
    assert region.get_attribute("open") is None


def test_another_test_has_other_points(page, full_page):
    before = source(page)
    select = page.locator('[data-manhattan="contig"] select')
    select.select_option("E2")
    after = source(page)
    gwas = pd.concat(pd.read_parquet(full_page.parent / f"contig/chr{chrom}.parquet") for chrom in (1, 2, 3))
    assert len(before["x"]) >= 12 and len(after["x"]) == (gwas["log10p_E2"] >= 7.30103).sum() == 0
    assert set(source(page, "rest")["feature"]) == {"E2"} and set(source(page, "rest")["beta"]) == {"0.100"}
    assert "0 variants reach the threshold" in page.locator("#plot-contig").get_attribute("aria-label")
    select.select_option("manova")
    assert source(page) == before


def test_zoom_by_buttons(page):
    extent = "(() => { const one = contigwas.plots.contig.plot.x_range; return [one.start, one.end]; })()"
    start, end = page.evaluate(extent)
    bar = page.get_by_role("group", name="Zoom of the Manhattan plot of contig")
    for _ in range(2):
        bar.get_by_role("button", name="Zoom in").press("Enter")
    inner = page.evaluate(extent)
    assert inner[1] - inner[0] == pytest.approx((end - start) / 4)
    bar.get_by_role("button", name="To the right").press("Enter")
    moved = page.evaluate(extent)
    assert moved[0] > inner[0] and moved[1] - moved[0] == pytest.approx(inner[1] - inner[0])
    label = page.evaluate("contigwas.plots.contig.plot.below[0].axis_label")
    assert label.startswith("position on chromosome") or label == "chromosome"
    bar.get_by_role("button", name="Whole genome").press("Enter")
    assert page.evaluate(extent) == pytest.approx([start, end])


def test_the_table_sorts_by_mouse_and_by_keyboard(page, loci):
    rows = page.locator("#loci-contig tbody tr")
    first = [int(one) for one in rows.locator("td:first-child").all_inner_texts()]
    assert first == loci["locus"].tolist()
    header = page.locator("#loci-contig thead th", has_text="log₁₀")
    by_p = loci.sort_values("log10p")["locus"].tolist()
    assert by_p not in (first, first[::-1]), "the order tells whether it sorts by p"
    header.click()
    page.locator("#loci-contig th[aria-sort=ascending]").wait_for()
    assert [int(one) for one in rows.locator("td:first-child").all_inner_texts()] == by_p
    header.locator("[role=button]").press("Enter")
    page.locator("#loci-contig th[aria-sort=descending]").wait_for()
    assert [int(one) for one in rows.locator("td:first-child").all_inner_texts()] == by_p[::-1]
    assert header.get_attribute("aria-sort") == "descending"


def test_the_table_filters(page, loci):
    wanted = loci["lead_id"].iloc[0]
    box = page.get_by_label("Filter: Loci of contig")
    box.fill(wanted)
    rows = page.locator("#loci-contig tbody tr")
    page.wait_for_function("() => document.querySelectorAll('#loci-contig tbody tr').length === 1")
    assert wanted in rows.first.inner_text()
    box.fill("")
    page.wait_for_function(f"() => document.querySelectorAll('#loci-contig tbody tr').length === {len(loci)}")


@pytest.mark.parametrize(("kind", "separator"), [("TSV", "\t"), ("CSV", ",")])
def test_the_table_downloads_whole(page, loci, kind, separator):
    with page.expect_download() as waiting:
        page.locator(f'a[download="contig.loci.{kind.lower()}"]').click()
    text = open(waiting.value.path()).read()  # noqa: PTH123, SIM115
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text), sep=separator, dtype={"chrom": str}), loci)


def test_a_link_of_the_table_opens_the_region(page, loci):
    weakest = int(loci.loc[loci["log10p"].idxmin(), "locus"])
    page.locator(f"#contig-locus-{weakest}").evaluate("one => one.open = false")
    page.locator("#loci-contig").get_by_role("link", name=f"Locus {weakest}: its regional plot").press("Enter")
    page.locator(f"#contig-locus-{weakest} img").wait_for(state="visible")
    assert page.evaluate("document.activeElement.parentElement.id") == f"contig-locus-{weakest}"


def test_everything_is_on_the_page(page):
    found = {one["alt"] for one in page.locator("img").evaluate_all("all => all.map(one => ({alt: one.alt}))")}
    for words in (
        "Attribution along the genome",
        "Top features",
        "Training curves",
        "Map of the embedding",
        "Scores of",
    ):
        assert [one for one in found if one.startswith(words)], words
    assert all(found) and len(found) >= 18
    assert page.locator("#inputs").get_by_text("Genes with a carrier, by mask").count() == 1
    for heading in (
        "Summary",
        "Cohort",
        "Models side by side",
        "Explanations",
        "Downstream",
        "Quality control",
        "Methods",
    ):
        assert page.get_by_role("heading", name=heading, exact=True).count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_methods_name_the_partitions_that_the_table_has(full_page):
    assert "Clusters are those of k-means on the features" in full_page.read_text()


def test_the_config_is_told_with_what_it_lacks(page):
    reported = page.locator("#methods details")
    assert "The config of this run, without pretrain and export" in reported.locator("summary").inner_text()
    keys = yaml.safe_load(reported.locator("pre").text_content())
    assert {"genotypes", "models", "gwas"} <= {*keys} and not {"pretrain", "export"} & {*keys}


def test_the_skip_link_comes_first(page):
    page.evaluate("document.activeElement.blur(); window.scrollTo({top: 0, behavior: 'instant'})")
    page.evaluate("document.querySelector('.skip').focus()")
    assert page.locator(".skip").bounding_box()["x"] >= 0
    first = page.evaluate("[...document.querySelectorAll('a, button, input, select, summary')][0].className")
    assert first == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_no_serious_fault_of_accessibility(chromium, full_page, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with opened(chromium, full_page, width, scheme) as (page, faults):
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        violations = Axe().run(page).response["violations"]
        serious = [(one["id"], len(one["nodes"])) for one in violations if one["impact"] in ("serious", "critical")]
        wide = page.evaluate("document.documentElement.scrollWidth")
        paper, text = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
    assert serious == [] and faults == []
    assert wide <= width, "the page itself never scrolls sideways"
    bright = [sum(map(int, one.removeprefix("rgb(").removesuffix(")").split(", "))) for one in (paper, text)]
    assert (bright[0] > bright[1]) == (scheme == "light")


def test_in_print_the_static_figures_stand_in_for_the_interactive_ones(chromium, full_page):
    with opened(chromium, full_page) as (page, faults):
        closed, still = page.locator("details:not([open])").count(), page.locator("#model-contig .static img")
        assert closed and page.locator("#plot-contig").is_visible() and not still.is_visible()
        page.emulate_media(media="print")
        page.wait_for_function("() => !document.querySelector('details:not([open])')")
        assert not page.locator("#plot-contig").is_visible() and still.is_visible()
        assert all(one.is_visible() for one in page.locator("#model-contig .region img").all())
        page.emulate_media(media="screen")
        page.wait_for_function(f"() => document.querySelectorAll('details:not([open])').length === {closed}")
        assert page.locator("#plot-contig").is_visible() and faults == []


def test_without_scripts_all_of_it_can_be_read(chromium, full_page, loci):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(full_page.as_uri())
    assert page.locator("#model-contig .static img").is_visible() and not page.locator("#plot-contig").is_visible()
    assert page.locator("#loci-contig tbody tr").count() == len(loci)
    context.close()


def test_a_run_of_external_phenotypes_without_a_locus(chromium, bare_page):
    with opened(chromium, bare_page, 400) as (page, faults):
        assert "traits finds 0 loci" in page.locator("#summary").inner_text()
        assert "No variant reaches" in page.locator("#model-traits").inner_text()
        assert page.locator("#explanations, #downstream, .loci").count() == 0
        assert len(source(page, "rest", "traits")["x"]) > 50 and faults == []


def test_a_page_that_asks_for_something_is_noticed(chromium, bare_page, tmp_path):
    """The test of the tests: the policy of the page stops it, and the browser says so."""
    leaking = tmp_path / "leaking.html"
    text = bare_page.read_text()
    leaking.write_text(text.replace("</main>", '<img alt="x" src="https://example.org/x.png"></main>'))
    with opened(chromium, leaking) as (_, faults):
        assert [one for one in faults if "example.org" in one]
