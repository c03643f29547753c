"""Many small drops are committed together, with the result of ingesting them individually."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from declaring import changed
from visits import HEADER, VISITS, checked_site

from lastmile.ingestion import worker

DYING_WORKER = Path(__file__).parents[1] / "dying_worker.py"


@pytest.fixture
def here(store, database_url):
    """A site in a folder: what is shown here has nothing to do with the kind of store."""
    with checked_site(store, database_url) as site:
        yield site


def put_many(site, count=5):
    for number in range(count):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done", f"w{number},9999,2,1,done")
    site.discover()


def commits(site):
    return site.query("SELECT count(DISTINCT xmin::text) AS commits FROM raw.visits")[0]["commits"]


def test_many_small_drops_are_one_commit(here):
    put_many(here)
    assert [(one.state, one.loaded, one.quarantined) for one in here.take()] == [("loaded", 1, 1)] * 5
    assert commits(here) == 1


def put_all_kinds(site):
    """Drops of which most are out of the ordinary, each in its own way, between others that are not."""
    site.put_rows("00.csv", "a,3,2,1,done", "b,9999,2,1,done", "a,4,2,1,done")
    site.put_rows("01.csv", "c,3,2,1,done")
    site.put_rows("02.csv", "c,4,2,1,done", "d,3,2,1,done")
    site.put_rows("03.csv", "e,many,2,1,done", "f,many,2,1,done", "g,3,2,1,done")
    site.put("04.csv", b"PAR1 and no more")
    site.put("05.csv", "persons,hours\n3,2\n")
    site.put_rows("06.csv", "c,3,2,1,done")
    site.put("07.csv", "")
    site.put("08.csv", f"{HEADER}\n")
    site.put("09.csv", "visit;duration;weather\nh;1,5;rain\ni;2,5;\n")
    site.put("10.jsonl", '{"visit": "j", "persons": 3}\n{"visit": "k", "persons": "many"}\n')
    site.put_rows("11.csv", "l,3,2,1,done", "l\0,3,2,1,done")
    site.put_rows("12.csv", "c,5,2,1,done", year="2021")
    site.put_rows("13.csv", "n,3,2,1,done,", "o,3,2,1,done")
    site.put_rows("14.csv", "p,3,2,1,done", "q,3,2,1,done")
    site.put_rows("15.csv", "p,3,2,1,done", "q,3,2,1,done")
    site.put_rows("16.csv", "r,3,2,1,done", "q,4,2,1,done")
    site.put_rows("17.csv", "s,3,2,1,done")
    site.discover()
    site.put_rows("01.csv", "c,3,2,1,done", "m,3,2,1,done")
    site.discover()


def pictured(site):
    """Everything but what differs from one time to the next: moments, and the versions a file system gives."""
    drops = "key, state, attempts, sha256, format, schema_change, rows_read, rows_loaded, rows_quarantined"
    message = "regexp_replace(message, 'version .*;', '')"
    rows = "visit, persons, hours, outcome, _drop_id, _line, _partition_start, _run_id, _rescued"
    raw = """regexp_replace(raw, '"_loaded_at": [^,]*', '')"""
    return (
        site.query(f"SELECT {drops}, rows_duplicate, retake, {message} FROM ledger.drops ORDER BY id"),
        site.query(f"SELECT {rows} FROM raw.visits ORDER BY _drop_id, _line"),
        site.query(
            f"SELECT drop_id, dataset, partition, line, kind, {raw}, reasons, run_id FROM quarantine.rows"
            " ORDER BY drop_id, line"
        ),
        site.query("SELECT drop_id, state FROM ledger.events WHERE state <> 'claimed' ORDER BY drop_id, id"),
    )


@pytest.mark.parametrize(
    "contract", [{}, {"duplicates": "quarantine"}, {"unknown_columns": "add"}, {"key": ()}], ids=str
)
def test_in_a_micro_batch_or_individually_drops_end_the_same(here, monkeypatch, contract):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", timedelta(milliseconds=1))
    here.contract = changed(VISITS, **contract)
    put_all_kinds(here)
    here.take()
    together, many = pictured(here), commits(here)
    here.connection.execute(
        "TRUNCATE ledger.drops, ledger.events, quarantine.rows, quarantine.discarded, quarantine.corrections"
        " RESTART IDENTITY;"
        " DROP TABLE raw.visits"
    )
    for listed in list(here.store.list("")):
        here.store.delete(listed.key)
    monkeypatch.setattr(worker, "MAX_BATCH_DROPS", 1)
    put_all_kinds(here)
    here.take()
    assert commits(here) > many
    for one, other in zip(together, pictured(here), strict=True):
        assert one == other


@pytest.mark.behaviour(number=9)
@pytest.mark.parametrize("where", ["after the first batch", "before the commit"])
def test_killed_while_loading_many_none_is_visible_and_the_retry_loads_all(here, where):
    put_many(here)
    assert killed(here, where) == -signal.SIGKILL
    assert (here.visits(), set(here.states())) == ([], {"claimed"})
    assert [one.loaded for one in here.take()] == [1] * 5


@pytest.mark.behaviour(number=10)
def test_killed_after_the_commit_of_many_none_is_loaded_again(here):
    put_many(here)
    assert killed(here, "after the commit") == -signal.SIGKILL
    assert set(here.states()) == {"loaded"}
    assert here.take() == []


@pytest.mark.behaviour(number=13)
def test_what_was_attempted_before_is_ingested_individually_so_that_a_deadly_drop_uses_no_attempts_of_others(here):
    put_many(here)
    killed(here, "after the claim")
    assert [drop["attempts"] for drop in here.drops()] == [1] * 5
    killed(here, "after the claim")
    assert [drop["attempts"] for drop in here.drops()] == [2, 1, 1, 1, 1]
    here.take()
    assert commits(here) == 5


def test_a_check_of_all_rows_together_is_applied_to_each_drop_individually(here):
    unlike = pa.Check(lambda data: data.lazyframe.select(pl.col("hours").is_unique()), name="no hours twice")
    here.contract = changed(VISITS, checks=[unlike], max_bad_share=1.0)
    put_many(here)
    here.put_rows("same.csv", "x,3,2,1,done", "y,3,2,1,done")
    here.discover()
    assert [one.loaded for one in here.take()] == [0] * 6
    for number in range(3):
        here.put_rows(f"one {number}.csv", f"z{number},3,2,1,done")
    here.discover()
    assert [one.loaded for one in here.take()] == [1] * 3


def killed(site, where):
    command = [sys.executable, str(DYING_WORKER), site.database_url, site.store.url, where]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    site.query(
        "SELECT pg_terminate_backend(pid, 10_000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return killed.returncode


def entries_read(here, table):
    """Entries of the table's indexes that statements have read so far."""
    here.query("SELECT pg_stat_force_next_flush()")
    (found,) = here.query(
        "SELECT sum(idx_tup_read)::bigint AS entries FROM pg_stat_user_indexes WHERE relname = %s", table
    )
    return found["entries"]


def test_each_key_of_a_batch_is_looked_up_once_in_a_table_without_statistics(here):
    for number in range(20):
        here.put_rows(f"{number}.csv", *(f"v{number}-{row},3,2,1,done" for row in range(100)))
    here.discover()
    assert sum(one.loaded for one in here.take()) == 2_000
    assert entries_read(here, "visits") <= 3 * 2_000


def test_a_backlog_is_not_read_again_for_each_of_its_drops(here):
    for number in range(400):
        here.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    here.discover()
    before = entries_read(here, "drops")
    assert len(here.take()) == 400
    assert entries_read(here, "drops") - before <= 150 * 400
