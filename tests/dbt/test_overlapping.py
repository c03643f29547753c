"""Runs over overlapping windows, at once, killed or both: in the end every row is there once."""

import os
import signal
import time

import pytest

MADE = "SELECT partition_start, count(*), max(line_number) FROM intermediate.int_retail_lines GROUP BY 1 ORDER BY 1"
LOADED = "SELECT _partition_start, count(*), max(_line) FROM raw.retail_lines GROUP BY 1 ORDER BY 1"
LINES = """
INSERT INTO raw.retail_lines (
    invoice_no, stock_code, quantity, invoice_date, unit_price, country, _drop_id, _line, _partition_start, _loaded_at
)
SELECT '500001', 'A', 1, day, 1, 'EIRE', 1, number, day, now()
FROM generate_series('2024-01-01'::date, '2024-01-10', '1 day') AS day, generate_series(1, 300) AS number
"""
#: Stops a run between its delete and its insert for as long as the lock is held.
STOP = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END';
CREATE TRIGGER stop BEFORE INSERT ON intermediate.int_retail_lines
    FOR EACH STATEMENT EXECUTE FUNCTION wait_for_the_test()
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"


def days(first, last):
    """Options that make the lines of these days of January, first and last included."""
    window = ["--event-time-start", f"2024-01-{first:02}", "--event-time-end", f"2024-01-{last + 1:02}"]
    return ["run", "--select", "int_retail_lines", *window]


@pytest.fixture
def loaded(warehouse):
    """The warehouse with 300 lines on each of ten days."""
    warehouse.connection.execute(LINES)
    return warehouse


@pytest.fixture
def held(loaded):
    """The lock that stops runs; to let go of it, leave the block."""
    loaded.connection.execute(STOP)
    yield loaded.connection.transaction
    loaded.connection.execute("DROP FUNCTION wait_for_the_test CASCADE")


def test_three_runs_at_once_over_overlapping_windows_end_with_the_exact_rows(loaded):
    runs = [loaded.start(*days(*window)) for window in ((1, 6), (4, 8), (5, 10))]
    printed = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], printed
    assert loaded.select(MADE) == loaded.select(LOADED)


def test_a_run_killed_between_its_delete_and_its_insert_leaves_what_was_there(loaded, held):
    loaded.run(*days(1, 10))
    before = loaded.select(MADE)
    with held():
        loaded.connection.execute("SELECT pg_advisory_xact_lock(4711)")
        killed = loaded.start(*days(3, 7))
        wait_for(loaded, runs=1)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        other = loaded.start(*days(5, 10))
        assert loaded.select(MADE) == before
        loaded.connection.execute("DELETE FROM raw.retail_lines WHERE _partition_start = '2024-01-06'")
        loaded.connection.execute("DELETE FROM raw.retail_lines WHERE _line > 200")
    printed, _ = other.communicate(timeout=120)
    assert other.returncode == 0, printed
    loaded.run(*days(1, 4))
    assert loaded.select(MADE) == loaded.select(LOADED)


def wait_for(warehouse, runs):
    deadline = time.monotonic() + 60
    while warehouse.select(WAITING) != [(runs,)]:
        assert time.monotonic() < deadline, "the run should be at its insert by now"
        time.sleep(0.1)
