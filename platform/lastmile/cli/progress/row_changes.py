"""What a backfill changed: rows of each partition before and after, in the tables of the assets it made."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from psycopg import Connection, sql
from rich.table import Table

if TYPE_CHECKING:
    from dagster import AssetKey

#: Rows by the first day of their partition, by table.
Counts = Mapping[str, Mapping[date, int]]
#: Partitions shown one by one; the rest is summed up.
MOST_SHOWN = 20

_TABLES = """
SELECT table_schema, table_name, column_name
FROM information_schema.columns INNER JOIN information_schema.tables USING (table_schema, table_name)
WHERE column_name IN ('partition_start', '_partition_start') AND table_type = 'BASE TABLE'
    AND (table_schema, table_name) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""


def counted(connection: Connection, keys: Sequence["AssetKey"], first: date, after: date) -> Counts:
    """Rows of the partitions from the day `first` up to the day before `after`; an empty partition is not named.

    Assets without a table by partition are left out: views, what is made whole, what is no table.
    """
    places = [("raw", key.path[-1]) if key.path[0] == "cleaned" else tuple(key.path[-2:]) for key in keys]
    schemas, names = [schema for schema, *_ in places], [name for *_, name in places]
    found = connection.execute(_TABLES, [schemas, names]).fetchall()
    return {
        f"{schema}.{table}": dict(
            connection.execute(
                sql.SQL("SELECT {day}, count(*) FROM {table} WHERE {day} >= %s AND {day} < %s GROUP BY 1").format(
                    day=sql.Identifier(column), table=sql.Identifier(schema, table)
                ),
                [first, after],
            ).fetchall()
        )
        for schema, table, column in sorted(found)
    }


def summary(before: Counts, after: Counts) -> Table:
    """A line for each partition whose number of rows changed, the first of each table, and one for the table."""
    shown = Table("table", "partition from", "rows before", "rows after", title="What changed")
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        changed = [day for day in sorted({*old, *new}) if old.get(day, 0) != new.get(day, 0)]
        for day in changed[:MOST_SHOWN]:
            shown.add_row(name, day.isoformat(), f"{old.get(day, 0):,}", f"{new.get(day, 0):,}")
        more = f", {len(changed) - MOST_SHOWN:,} more of them not shown" if len(changed) > MOST_SHOWN else ""
        what = f"{len(changed):,} of {len({*old, *new}):,} partitions{more}"
        shown.add_row(name, what, f"{sum(old.values()):,}", f"{sum(new.values()):,}", style="bold", end_section=True)
    return shown
