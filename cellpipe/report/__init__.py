"""The report: one HTML page per plate that opens without a network."""

from cellpipe.report.content import ReportContent, WorstImage
from cellpipe.report.page import render_report

__all__ = ["ReportContent", "WorstImage", "render_report"]
