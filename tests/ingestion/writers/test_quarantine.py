"""Quarantined rows can be queried by drop, with their text and every reason."""

import polars as pl
import psycopg
import pytest

from lastmile.quarantine.rows import quarantine_rows

DROP = """
    INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at)
    VALUES ('kinds', '2017', 'file:///store', 'landing/kinds/2017/a.csv', '1', 10, now()) RETURNING id
"""


@pytest.fixture
def drop_id(connection: psycopg.Connection) -> int:
    return connection.execute(DROP).fetchone()[0]


def bad(raw):
    reasons = '[{"column":"n","rule":"type","found":"é","message":"n: expected a number; found \'é\'"}]'
    return pl.DataFrame({"line": [3], "raw": [raw], "reasons": [reasons]}, schema_overrides={"line": pl.UInt64})


def test_a_quarantined_row_keeps_its_line_text_and_reasons(connection, drop_id):
    quarantine_rows(connection, drop_id, "kinds", "2017", "run", bad('a,"b\n";é'), "bad")
    found = connection.execute(
        "SELECT drop_id, dataset, partition, line, kind, raw, reasons -> 0 ->> 'message', run_id, at <= now()"
        " FROM quarantine.rows"
    ).fetchall()
    message = "n: expected a number; found 'é'"
    assert found == [(drop_id, "kinds", "2017", 3, "bad", 'a,"b\n";é', message, "run", True)]


def test_a_nul_character_in_the_text_is_kept_as_a_sign(connection, drop_id):
    quarantine_rows(connection, drop_id, "kinds", "2017", None, bad("a\0b"), "duplicate")
    assert connection.execute("SELECT raw, kind FROM quarantine.rows").fetchall() == [("a␀b", "duplicate")]


def test_no_rows_are_no_fault(connection, drop_id):
    quarantine_rows(connection, drop_id, "kinds", "2017", "run", bad("a").clear(), "bad")
    assert connection.execute("SELECT count(*) FROM quarantine.rows").fetchall() == [(0,)]
