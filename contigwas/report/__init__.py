"""The page of a run: one self-contained HTML file, without any sample's ID."""

from contigwas.report.page import write_report

__all__ = ["write_report"]
