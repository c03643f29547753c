"""Why a row was set aside, as JSON that Postgres takes and a person understands."""

from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl

from lastmile.intake.batch import BrokenRecord
from lastmile.intake.validating.rules import Rule, raw_name

#: Longest piece of a cell or record that a reason repeats; the whole of it stands beside as raw text.
SHOWN = 200


def bad_rows(
    rules: Sequence[Rule], flags: pl.DataFrame, raw: pl.DataFrame, lines: pl.Series, texts: Sequence[str]
) -> pl.DataFrame:
    """Bad rows with the reasons of each. `flags` has one Boolean column per rule, `raw` the cells as they were read."""
    reasons: list[list[dict[str, Any]]] = [[] for _ in texts]
    for rule, broken in zip(rules, flags.iter_columns(), strict=True):
        if broken.any():
            positions = broken.arg_true().to_list()
            for position, cells in zip(positions, _cells(raw, rule.shown, positions), strict=True):
                reasons[position].append(_reason(rule, cells))
    return _frame(lines, texts, reasons)


def broken_rows(broken: Sequence[BrokenRecord]) -> pl.DataFrame:
    """Records that never became rows, each with the one reason its reader gave."""
    reasons = [
        [{"column": None, "rule": "record", "found": _visible(record.raw), "message": _visible(record.reason)}]
        for record in broken
    ]
    return _frame([record.line for record in broken], [record.raw for record in broken], reasons)


def _frame(
    lines: pl.Series | Sequence[int], texts: Sequence[str], reasons: Sequence[Sequence[dict[str, Any]]]
) -> pl.DataFrame:
    columns = {"line": lines, "raw": texts, "reasons": [orjson.dumps(row).decode() for row in reasons]}
    return pl.DataFrame(columns, schema={"line": pl.UInt64, "raw": pl.String, "reasons": pl.String})


def _cells(raw: pl.DataFrame, columns: Sequence[str], positions: Sequence[int]) -> list[dict[str, str | None]]:
    """The cells of some rows by column, as they were read; none where the file has no such column."""
    read = {name: raw_name(name) if raw_name(name) in raw.columns else name for name in columns}
    texts = {name: raw[found][positions].cast(pl.String) for name, found in read.items() if found in raw.columns}
    return [{name: texts[name][row] if name in texts else None for name in columns} for row in range(len(positions))]


def _reason(rule: Rule, cells: dict[str, str | None]) -> dict[str, Any]:
    found, message = _of_row(rule, cells) if rule.column is None else _of_cell(rule, rule.column, cells)
    return {"column": rule.column, "rule": rule.name, "found": found or None, "message": message}


def _of_cell(rule: Rule, column: str, cells: dict[str, str | None]) -> tuple[str, str]:
    found = _visible(cells[column] or "")
    shown = f"'{found}'" if found.strip() else "none"
    if rule.name == "required" and found.strip():
        shown += ", which stands for none"
    return found, f"{column}: expected {rule.expected}; found {shown}"


def _of_row(rule: Rule, cells: dict[str, str | None]) -> tuple[str, str]:
    found = _visible(", ".join(f"{name}={text or 'none'}" for name, text in cells.items()))
    return found, f"{rule.expected.rstrip('.')}; found {found}" if found else rule.expected


def _visible(text: str) -> str:
    """The text cut to what is shown, with its NUL characters, which JSON in Postgres cannot hold, as a visible sign."""
    return (text if len(text) <= SHOWN else text[:SHOWN] + "…").replace("\0", "␀")
