"""Events for windows: drawn with times on and around boundaries, cut into batches in any way, and kept as a table for
plain SQL to say what comes of them."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
from hypothesis import strategies as st
from psycopg import sql

from lastmile.streaming.declarations.stream import PLACE
from lastmile.streaming.operators import Operator
from lastmile.warehouse.binary_copy import BinaryCopy

SCHEMA = {
    "at": pl.Datetime("us", "UTC"),
    "shop": pl.String(),
    "till": pl.Int64(),
    "pieces": pl.Int64(),
    "price": pl.Float64(),
    "note": pl.String(),
    "paid": pl.Boolean(),
    **PLACE,
}
_BASES = (datetime(1969, 12, 31, 23, tzinfo=UTC), datetime(2024, 3, 31, 0, 30, tzinfo=UTC))


@st.composite
def histories(draw: st.DrawFn, most: int = 40) -> list[pl.DataFrame]:
    """Batches: each partition's events in the order of their offsets, partitions in any order, cut anywhere."""
    base = draw(st.sampled_from(_BASES))
    offsets = [0, 0, 0]
    rows = []
    for _ in range(draw(st.integers(1, most))):
        partition = draw(st.integers(0, 2))
        seconds = draw(st.one_of(st.integers(0, 7_200), st.integers(0, 24).map(lambda quarter: quarter * 300)))
        offsets[partition] += draw(st.integers(1, 3))
        rows.append(
            {
                "at": base + timedelta(seconds=seconds, microseconds=draw(st.sampled_from((0, 0, 1, 999_999)))),
                "shop": draw(st.sampled_from(("a", "B", "é", None))),
                "till": draw(st.sampled_from((1, 2, None))),
                "pieces": draw(st.one_of(st.none(), st.integers(-(2**62), 2**62))),
                "price": draw(st.one_of(st.none(), st.sampled_from((0.1, 0.2, -0.0, 0.0, 1e-9, 19.99, 123456.789)))),
                "note": draw(st.sampled_from((None, "", "Z", "a", "ä", "𝄞"))),
                "paid": draw(st.sampled_from((True, False, None))),
                "_partition": partition,
                "_offset": offsets[partition],
                "_index": 0,
                "_timestamp": None,
            }
        )
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=6)) | {0, len(rows)})
    return [frame(rows[first:last]) for first, last in itertools.pairwise(cuts)]


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(at: datetime, **values: Any) -> dict[str, Any]:
    """An event of partition 0; its offset is to be given where that matters."""
    return {**dict.fromkeys(SCHEMA), "_partition": 0, "_offset": 0, "_index": 0, "at": at, **values}


def applied(
    connection: psycopg.Connection,
    operator: Operator,
    batches: Sequence[pl.DataFrame],
    watermark: datetime | None = None,
) -> None:
    """Each batch in a transaction of its own, as the consumer does."""
    for batch in batches:
        with connection.transaction():
            operator.apply(connection, operator.reduce(batch), watermark)


def as_table(connection: psycopg.Connection, batches: Sequence[pl.DataFrame]) -> None:
    """All events in a temporary table `events`, for plain SQL."""
    connection.execute("DROP TABLE IF EXISTS events")
    connection.execute(
        'CREATE TEMP TABLE events (at timestamptz, shop text COLLATE "C", till bigint, pieces bigint,'
        ' price double precision, note text COLLATE "C", paid boolean, _partition int, _offset bigint, _index int,'
        " _timestamp timestamptz)"
    )
    with BinaryCopy(connection, sql.Identifier("events"), SCHEMA) as copy:
        for batch in batches:
            copy.write(batch)


def rows_of(connection: psycopg.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows as they are printed, in order: so that 1 and 1.0 are not the same."""
    found = connection.execute(query.encode()).fetchall()
    return iter(sorted(found, key=repr))
