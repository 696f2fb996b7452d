"""Chromium, where it is installed, and pages of made-up runs."""

import shutil
from pathlib import Path

import pytest

from contigwas.report import write_report
from tests.conftest import absent
from tests.report import study

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium():
    """A browser. Playwright is imported only where there is one, and gone before tests that call Snakemake in this
    process: it keeps an event loop running, beside which Snakemake cannot start its own.
    """
    path = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if path is None:
        absent("chromium is not installed: on Debian, apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def full_page(tmp_path_factory) -> Path:
    """The page of a run that has everything."""
    folder = tmp_path_factory.mktemp("full")
    write_report(**study.full(folder), output=folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="session")
def bare_page(tmp_path_factory) -> Path:
    """The page of user-supplied phenotypes without a locus."""
    folder = tmp_path_factory.mktemp("bare")
    write_report(**study.bare(folder), output=folder / "report.html")
    return folder / "report.html"
