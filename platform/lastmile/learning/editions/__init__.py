"""Editions of a weekly report: the same sections as a page, a PDF and CSV files."""
