"""Messages and events of streams that were left out: where they are in their topic, why, and their bytes.

They are written in the transaction that commits the positions of the batch they came in, so each is here once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.warehouse.binary_copy import BinaryCopy

#: Rules by which valid events are left out: a replay of landed events leaves out the same.
LEFT_OUT_OF_REPLAYS = ("ahead", "late", "old")
#: Bytes of a message that are kept.
MOST_BYTES = 2**20
TYPES = {
    "stream": pl.String(),
    "topic": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "index": pl.Int32(),
    "rule": pl.String(),
    "reasons": pl.String(),
    "lateness": pl.Duration("us"),
    "key": pl.Binary(),
    "raw": pl.Binary(),
    "bytes": pl.Int64(),
}
#: Those that a batch of one stream gives: `raw` is whole.
GIVEN = {name: dtype for name, dtype in TYPES.items() if name not in ("stream", "topic", "bytes")}


@dataclass(frozen=True)
class Messages:
    """A part of what is in quarantine; None means all."""

    stream: str | None = None
    rule: str | None = None
    partition: int | None = None


_WHERE = """
    (%(stream)s::text IS NULL OR stream = %(stream)s) AND (%(rule)s::text IS NULL OR rule = %(rule)s)
    AND (%(partition)s::int IS NULL OR partition = %(partition)s)
"""
_IS_PLACE = "rule = ANY (%(rules)s) AND stream = ANY (%(replayed)s)"
_GOES = f"at < %(before)s AND NOT ({_IS_PLACE})"
_IS_EMPTIED = f"at < %(before)s AND {_IS_PLACE} AND raw IS NOT NULL"


def quarantine_messages(connection: Connection, stream: str, topic: str, messages: pl.DataFrame) -> None:
    """Copy messages with the columns of GIVEN."""
    rows = messages.with_columns(
        stream=pl.lit(stream),
        topic=pl.lit(topic),
        bytes=pl.col("raw").bin.size().fill_null(0).cast(pl.Int64),
        raw=pl.col("raw").bin.head(MOST_BYTES),
    )
    with BinaryCopy(connection, sql.Identifier("quarantine", "messages"), TYPES, jsonb=["reasons"]) as copy:
        copy.write(rows)


def counts(connection: Connection, selection: Messages) -> list[dict[str, Any]]:
    """How many, by stream and rule, with the newest and an example."""
    return _rows(
        connection,
        f"""
        SELECT stream, rule, count(*) AS messages, max(at) AS newest, max(lateness) AS most_late,
            (array_agg(reasons -> 0 ->> 'message' ORDER BY at DESC))[1] AS example
        FROM quarantine.messages WHERE {_WHERE} GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
        """,
        selection,
    )


def newest(connection: Connection, selection: Messages, most: int) -> list[dict[str, Any]]:
    """The newest of them, with their bytes."""
    return _rows(
        connection,
        f"""
        SELECT stream, topic, partition, "offset", index, rule, reasons, lateness, key, raw, bytes, at
        FROM quarantine.messages WHERE {_WHERE} ORDER BY at DESC, partition, "offset" DESC, index DESC LIMIT %(most)s
        """,
        selection,
        most=most,
    )


def left_out_places(
    connection: Connection,
    stream: str,
    topic: str,
    partition: int,
    offsets: tuple[int, int],
    rules: Sequence[str],
) -> list[tuple[int, int]]:
    """Offset and index of those of a partition that broke one of the rules, between two offsets, both included."""
    return connection.execute(
        'SELECT "offset", index FROM quarantine.messages WHERE stream = %s AND topic = %s AND partition = %s'
        ' AND "offset" BETWEEN %s AND %s AND rule = ANY(%s)',
        [stream, topic, partition, *offsets, list(rules)],
    ).fetchall()


def old_messages(connection: Connection, before: datetime, replayed: Sequence[str]) -> int:
    """How many were left out before. Of streams that are `replayed` those whose place is needed still have bytes."""
    return sum(
        int(rows)
        for goes in (_GOES, _IS_EMPTIED)
        for (rows,) in connection.execute(
            f"SELECT count(*) FROM quarantine.messages WHERE {goes}".encode(), _values(before, replayed)
        )
    )


def forget_messages(connection: Connection, before: datetime, replayed: Sequence[str]) -> int:
    """Delete them; of streams that are `replayed` the places of what a replay leaves out stay, without their bytes,
    which are in the drops. `connection` must be in autocommit mode."""
    some = "ctid = ANY (ARRAY(SELECT ctid FROM quarantine.messages WHERE {} LIMIT 5000))"
    emptied = "UPDATE quarantine.messages SET key = NULL, raw = NULL, reasons = '[]'"
    statements = (
        f"DELETE FROM quarantine.messages WHERE {some.format(_GOES)}",
        f"{emptied} WHERE {some.format(_IS_EMPTIED)}",
    )
    total = 0
    for statement in statements:
        while rows := connection.execute(statement.encode(), _values(before, replayed)).rowcount:
            total += rows
    return total


def _values(before: datetime, replayed: Sequence[str]) -> dict[str, Any]:
    return {"before": before, "replayed": list(replayed), "rules": list(LEFT_OUT_OF_REPLAYS)}


def _rows(connection: Connection, query: str, selection: Messages, **more: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), {**vars(selection), **more}).fetchall()
