"""Expressions that people wrote, over rows that they did not expect: one that fails on a row costs that row alone."""

import polars as pl


def evaluated(frame: pl.DataFrame, expression: pl.Expr, failed: bool | None) -> pl.Series:
    """The expression's value for each row, and `failed` where it fails on a row, such as `pl.date` on 30 February.

    It must look at each row for itself. Which rows fail is found by halving, so that few of them cost little.
    """
    try:
        return frame.select(expression).to_series()
    except pl.exceptions.PolarsError:
        if frame.height <= 1:
            dtype = frame.clear().select(expression).to_series().dtype
            return pl.Series([failed] * frame.height, dtype=dtype)
    half = frame.height // 2
    parts = (frame.head(half), frame.slice(half))
    return pl.concat([evaluated(part, expression, failed) for part in parts])
