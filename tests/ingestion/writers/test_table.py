"""Rows copied into a dataset's table are, to the bit, the rows that were validated."""

import json
import math
from datetime import UTC, date, datetime

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastmile.ingestion.writers import RowCopy

PROVENANCE = {
    "_drop_id": 7,
    "_partition_start": date(2017, 1, 1),
    "_run_id": "run",
    "_loaded_at": datetime(2024, 5, 31, 14, 30, tzinfo=UTC),
}
LONGEST = 2**63 - 1
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.integers(-LONGEST - 1, LONGEST),
        st.none() | st.booleans(),
        st.none() | st.dates(),
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.none() | TEXTS,
        st.integers(1, LONGEST),
        st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3).map(json.dumps),
    ),
    unique_by=lambda row: row[6],
    max_size=40,
)


def frame(contract, rows):
    schema = contract.types() | {"_line": pl.UInt64, "_rescued": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def copy(connection, contract, *frames, provenance=PROVENANCE):
    with RowCopy(connection, contract, provenance) as rows:
        for one in frames:
            rows.write(one)


def table(connection, columns="f, i, b, d, m, t, _line, _rescued::text"):
    return connection.execute(f"SELECT {columns} FROM raw.kinds").fetchall()


@given(ROWS, st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_arrives_as_it_was(connection, contract, rows, cut):
    with connection.transaction(force_rollback=True):
        copy(connection, contract, frame(contract, rows[:cut]), frame(contract, rows[cut:]))
        expected = sorted(rows, key=lambda row: row[6])
        found = sorted(table(connection), key=lambda row: row[6])
        assert [row[:-1] for row in found] == [row[:-1] for row in expected]
        assert [_parsed(row[-1]) for row in found] == [_parsed(row[-1]) for row in expected]
        assert [_sign(row[0]) for row in found] == [_sign(row[0]) for row in expected]


def _parsed(rescued):
    return None if rescued is None else json.loads(rescued)


def _sign(value):
    return None if value is None else math.copysign(1, value)


def test_every_row_says_where_it_came_from(connection, contract):
    copy(connection, contract, frame(contract, [(1.0, 1, True, None, None, "a", 2, None)]))
    assert table(connection, "_drop_id, _line, _partition_start, _run_id, _loaded_at") == [
        (7, 2, date(2017, 1, 1), "run", datetime(2024, 5, 31, 14, 30, tzinfo=UTC))
    ]


def test_a_load_outside_of_a_run_has_no_run(connection, contract):
    copy(connection, contract, frame(contract, [(None,) * 6 + (2, None)]), provenance=PROVENANCE | {"_run_id": None})
    assert table(connection, "_run_id") == [(None,)]


def test_rescued_values_can_be_queried_in_sql(connection, contract):
    copy(connection, contract, frame(contract, [(None,) * 6 + (2, '{"Région": "Nord"}')]))
    assert table(connection, "_rescued ->> 'Région'") == [("Nord",)]


def test_columns_are_found_by_name_in_any_order_of_frame_and_table(connection, contract):
    connection.execute("ALTER TABLE raw.kinds DROP COLUMN i; ALTER TABLE raw.kinds ADD COLUMN i bigint")
    rows = frame(contract, [(1.5, 3, True, None, None, "a", 2, None)])
    copy(connection, contract, rows.select(reversed(rows.columns)))
    assert table(connection, "f, i, t") == [(1.5, 3, "a")]


def test_a_batch_of_more_than_a_network_buffer_arrives_whole(connection, contract):
    rows = frame(contract, [(0.5, 1, False, None, None, "x" * 100, 2, None)])
    copy(connection, contract, pl.concat([rows] * 50_000))
    assert table(connection, "count(*), sum(length(t))") == [(50_000, 5_000_000)]


def test_rows_of_a_copy_that_failed_are_not_there(connection, contract):
    rows = frame(contract, [(1.0, 1, True, None, None, "a", 2, None)])
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        copy(connection, contract, rows, rows.drop("t"))
    assert table(connection) == []


def test_a_row_that_the_table_rejects_discards_the_whole_copy(connection, contract):
    good = frame(contract, [(1.0, 1, True, None, None, "a", 2, None)])
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        copy(connection, contract, good, good.with_columns(_rescued=pl.lit("not json")))
    assert table(connection) == []


def test_several_copies_may_follow_on_one_connection(connection, contract):
    rows = frame(contract, [(1.0, 1, True, None, None, "a", 2, None)])
    with connection.transaction():
        copy(connection, contract, rows)
        copy(connection, contract, rows.clear())
        copy(connection, contract, rows)
    assert len(table(connection)) == 2
