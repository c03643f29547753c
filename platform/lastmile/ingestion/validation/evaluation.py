"""Expressions and rules that people wrote, over rows that they did not expect: one that fails on a row costs that row
alone, such as `pl.date` on 30 February.
"""

from collections.abc import Callable, Iterator

import polars as pl

from lastmile.contracts.checks import FAILURES

#: Parts that rows are searched in. With more, few failing rows cost more; with fewer, many do.
PARTS = 8


def evaluated(frame: pl.DataFrame, expression: pl.Expr, failed: bool | None) -> pl.Series:
    """The expression's value for each row, and `failed` where it fails. It must look at each row for itself."""
    return without_failures(frame, expression, failed)[0]


def without_failures(frame: pl.DataFrame, expression: pl.Expr, failed: bool | None) -> tuple[pl.Series, dict[int, str]]:
    """The same, and the errors by position. Rows that are alike in the columns it reads are evaluated once."""
    try:
        return frame.select(expression).to_series(), {}
    except FAILURES:
        roots = list(dict.fromkeys(expression.meta.root_names()))
    groups = frame.select(roots).with_row_index(" row").group_by(roots, maintain_order=True).agg(" row")
    inputs, rows = groups.select(roots), groups[" row"]
    errors = dict(failing(inputs, lambda part: part.select(expression)))
    fails = pl.Series(range(inputs.height), dtype=pl.UInt32).is_in(list(errors))
    good = inputs.filter(~fails).select(expression).to_series()
    answers = pl.DataFrame({"value": good, "row": rows.filter(~fails)}).explode("row")
    values = pl.Series([failed], dtype=good.dtype).new_from_index(0, frame.height)
    values = values.scatter(answers["row"], answers["value"])
    return values, {row: error for group, error in errors.items() for row in rows[group]}


def failing(
    frame: pl.DataFrame, evaluate: Callable[[pl.DataFrame], object], first: int = 0
) -> Iterator[tuple[int, str]]:
    """The rows on which it fails by themselves: their positions, counted from `first`, and the errors.

    The rows are searched part by part, so that few failing ones cost little, and many an evaluation each.
    """
    try:
        evaluate(frame)
    except FAILURES as error:
        if frame.height == 1:
            yield first, str(error).splitlines()[0]
        elif frame.height:
            size = -(-frame.height // PARTS)
            for start in range(0, frame.height, size):
                yield from failing(frame.slice(start, size), evaluate, first + start)
