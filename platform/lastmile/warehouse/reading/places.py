"""Pages in the order in which rows are stored: of a table without an index that would give it another.

A window of blocks is read, and the next of four times as many where it had too few rows: a first page of a million rows
costs a few blocks, a filter that finds nothing one scan of the table. A table that others inherit from is read first,
then those, in the order in which they were made.
"""

from dataclasses import replace

from psycopg import Connection, sql

from lastmile.warehouse.reading.relations import Relation, Selection
from lastmile.warehouse.reading.rows import json_rows
from lastmile.warehouse.reading.terms import PLACE

_FIRST_WINDOW = 16
_PARTS = """
    WITH RECURSIVE part (oid) AS (
        SELECT to_regclass(%s)::oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid
    )
    SELECT part.oid, nspname, relname, (pg_relation_size(part.oid) / current_setting('block_size')::bigint)
    FROM part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE part.oid >= %s AND relkind IN ('r', 'm') ORDER BY part.oid
"""


def by_place(
    connection: Connection, selection: Selection, limit: int, after: list[str | None] | None
) -> tuple[list[str], list[str | None] | None]:
    """Rows as JSON texts, and the place of the last where there are more."""
    part, tid = (int(after[0] or 0), after[1] or "(0,0)") if after else (0, "(0,0)")
    rows: list[tuple[str, ...]] = []
    for oid, schema, name, blocks in _parts(connection, selection.relation, part):
        source = sql.SQL("ONLY {}").format(sql.Identifier(schema, name))
        stored = replace(selection, relation=replace(selection.relation, source=source))
        begin, window = tid if oid == part else "(0,0)", _FIRST_WINDOW
        while (block := int(begin[1:].partition(",")[0])) < blocks and len(rows) <= limit:
            end = f"({min(block + window, 2**32 - 1)},0)"
            within = sql.SQL("({}) AND ctid > {}::tid AND ctid < {}::tid").format(
                selection.where, sql.Literal(begin), sql.Literal(end)
            )
            rows += json_rows(connection, replace(stored, where=within), PLACE, limit + 1 - len(rows), 0)
            begin, window = end, window * 4
    following = list[str | None](rows[limit - 1][1:]) if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], following


def _parts(connection: Connection, relation: Relation, first: int) -> list[tuple[int, str, str, int]]:
    return connection.execute(_PARTS, [relation.source.as_string(connection), first]).fetchall()
