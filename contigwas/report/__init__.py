"""The report of a run: one self-contained HTML file without sample IDs."""

from contigwas.report.page import write_report

__all__ = ["write_report"]
