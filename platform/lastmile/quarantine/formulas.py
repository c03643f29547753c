"""Texts that a spreadsheet would run as formulas when it opens a CSV, made inert and read back exactly.

Which they are is what OWASP says of CSV injection: `=`, `+`, `-`, `@`, tab or carriage return first. One that begins
so, also in full width, behind apostrophes or behind blanks, gets an apostrophe in front; a number such as `-5` stays.
"""

import re

import polars as pl

from lastmile.warehouse.reading.formulas import FORMULA, NUMBER


def inert(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text that is a formula."""
    return frame.with_columns(_inert(pl.col(name)) for name, dtype in frame.schema.items() if dtype == pl.String)


def _inert(text: pl.Expr) -> pl.Expr:
    is_formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return pl.when(is_formula).then(pl.lit("'") + text).otherwise(text).name.keep()


def original(text: str) -> str:
    """The text that `inert` made this of."""
    return text[1:] if text.startswith("'") and re.search(FORMULA, text[1:]) else text
