"""Corrections of quarantined rows: what was changed, by whom, when and why, next to the text as it arrived.

They are kept apart from the rows and applied whenever the drop is read, so re-ingesting it does not forget them; the
newest of a line counts. A new version of the object is another drop, which they do not touch.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.errors import UserError
from lastmile.quarantine.formulas import original

#: What `quarantine export` writes besides drop, line and raw: not about the row's values.
_EXPORTED = ("dataset", "partition", "key", "kind", "reasons")


@dataclass(frozen=True)
class Correction:
    """New values of a quarantined row: `cells` by column, as the file would have them, or its whole text as `raw`."""

    drop: int
    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    raw: str | None = None


def record_correction(connection: Connection, correction: Correction, raw: str, who: str, why: str) -> None:
    """Record cells by header of the file, on top of earlier corrections of the line. `raw` is the text quarantined."""
    connection.execute(
        """
        INSERT INTO quarantine.corrections (drop_id, line, cells, raw, who, why)
        SELECT %(drop)s, %(line)s, coalesce((
            SELECT cells FROM quarantine.corrections WHERE drop_id = %(drop)s AND line = %(line)s
            ORDER BY id DESC LIMIT 1), '{}') || %(cells)s, %(raw)s, %(who)s, %(why)s
        """,
        {
            "drop": correction.drop, "line": correction.line, "cells": Jsonb(dict(correction.cells)), "raw": raw,
            "who": who, "why": why,
        },
    )  # fmt: skip


def corrected_cells(connection: Connection, drop_id: int) -> dict[int, dict[str, str]]:
    """Corrected cells by header of the file, by line of the drop."""
    found = connection.execute(
        """
        SELECT DISTINCT ON (line) line, cells FROM quarantine.corrections WHERE drop_id = %s ORDER BY line, id DESC
        """,
        [drop_id],
    ).fetchall()
    return dict(found)


def read_corrections(path: Path) -> list[Correction]:
    """Corrections from a CSV as `quarantine export` writes it, with texts changed under `raw` or columns added.

    Needs `drop` and `line`; an empty cell leaves the value as it is. Raises UserError where the file is no such CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_parsed(path, csv.DictReader(file, strict=True)))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a CSV in UTF-8 as `lastmile quarantine export` writes it: {error}") from None


def _parsed(path: Path, rows: "csv.DictReader[str]") -> Iterator[Correction]:
    names = rows.fieldnames or []
    if not {"drop", "line"} <= set(names):
        raise UserError(f"{path}: expected the columns drop and line among others, found {', '.join(names) or 'none'}")
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if None in row:
            raise UserError(f"{where}: expected {len(names)} fields as in the header, found more")
        drop, line = (_number(where, name, row.pop(name)) for name in ("drop", "line"))
        raw = row.pop("raw", None) or None
        cells = {name: original(value) for name, value in row.items() if value and name not in _EXPORTED}
        yield Correction(drop, line, cells, original(raw) if raw else None)


def _number(where: str, name: str, text: str | None) -> int:
    if not text or not text.isdecimal() or len(text) > 18:
        raise UserError(f"{where}: expected a whole number as {name}, found {text!r}")
    return int(text)
