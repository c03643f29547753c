"""Whatever kills a worker, a drop is loaded exactly once and completely, or not at all."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import psycopg
import pytest

from lastmile import ledger
from lastmile.ingestion import worker

DYING_WORKER = Path(__file__).parents[1] / "dying_worker.py"


def _killed(site, where):
    command = [sys.executable, str(DYING_WORKER), site.database_url, site.store.url, where]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    _wait_until_its_session_is_gone(site)


def _wait_until_its_session_is_gone(site):
    for _ in range(100):
        if (
            len(
                site.query(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            == 0
        ):
            return
        time.sleep(0.05)
    raise AssertionError("the killed worker's session lives on")


@pytest.mark.behaviour(number=9)
@pytest.mark.parametrize("where", ["after the claim", "after the first batch", "before the commit"])
@pytest.mark.every_store
def test_a_drop_killed_mid_load_leaves_no_rows_and_the_retry_all_of_them(site, where):
    site.put_rows("a.csv", *(f"v{number:03},3,2,1,done" for number in range(100)))
    site.discover()
    _killed(site, where)
    assert site.visits() == []
    assert site.states() == ["claimed"]
    (outcome,) = site.take()
    assert (outcome.state, outcome.loaded) == ("loaded", 100)
    assert len(site.visits()) == 100


@pytest.mark.behaviour(number=13)
def test_a_drop_of_a_worker_whose_session_ends_late_is_ingested_by_another_of_the_same_run(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    dying = psycopg.connect(site.database_url, autocommit=True)
    ledger.claim(dying, site.store.url, "visits", ["2020"], "test")
    assert site.take(run_id="another") == []
    Timer(0.5, dying.close).start()
    assert [outcome.state for outcome in site.take()] == ["loaded"]


@pytest.mark.behaviour(number=9)
@pytest.mark.behaviour(number=15)
def test_a_worker_killed_while_replacing_a_version_leaves_the_old_one_current(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    site.put_rows("a.csv", "v2,4,2,1,done", "v3,3,2,1,done")
    site.discover()
    _killed(site, "before the commit")
    assert site.visits() == ["v1", "v2"]
    site.take()
    assert site.visits() == ["v2", "v3"]


@pytest.mark.behaviour(number=10)
@pytest.mark.every_store
def test_a_drop_killed_after_the_commit_is_not_loaded_again_and_reports_the_same_numbers(site):
    site.put_rows("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    site.discover()
    _killed(site, "after the commit")
    before = site.drops()
    assert site.take() == []
    assert site.drops() == before
    assert (before[0]["state"], before[0]["rows_loaded"], before[0]["rows_quarantined"]) == ("loaded", 1, 1)


@pytest.mark.behaviour(number=12)
def test_two_workers_on_the_same_drops_load_each_once(site, new_connection):
    for number in range(6):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    held = ledger.claim_next(new_connection(), site.store.url, "visits", ["2020"], "sensor run")
    assert held is not None
    assert len(site.take(run_id="backfill")) == 5
    assert ledger.claim_next(site.connection, site.store.url, "visits", ["2020"], "third") is None
    assert site.states().count("loaded") == 5


@pytest.mark.behaviour(number=13)
def test_the_claim_of_a_dead_worker_is_free_for_another_immediately(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    dying = psycopg.connect(site.database_url, autocommit=True)
    assert ledger.claim_next(dying, site.store.url, "visits", ["2020"], "dying") is not None
    assert site.take() == []
    dying.close()
    _wait_until_its_session_is_gone(site)
    assert [outcome.state for outcome in site.take()] == ["loaded"]


@pytest.mark.behaviour(number=13)
def test_a_worker_that_lost_its_claim_cannot_commit(site, new_connection):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    slow = new_connection()
    drop = ledger.claim_next(slow, site.store.url, "visits", ["2020"], "slow")
    site.query("UPDATE ledger.drops SET claim_expires_at = now() - interval '1 minute' RETURNING id")
    assert [outcome.state for outcome in site.take()] == ["loaded"]
    assert worker.ingest_drop(slow, site.store, site.contract, drop, "slow") is None
    assert site.drops()[0]["run_id"] == "test"


@pytest.mark.behaviour(number=13)
def test_a_drop_that_kills_every_worker_is_given_up_with_the_reason(site):
    site.put_rows("poison.csv", "v1,3,2,1,done")
    site.put_rows("good.csv", "v2,3,2,1,done")
    site.discover()
    site.query("UPDATE ledger.drops SET attempts = %s WHERE key LIKE '%%poison%%' RETURNING id", ledger.MOST_ATTEMPTS)
    site.take()
    poison, good = sorted(site.drops(), key=lambda drop: drop["key"], reverse=True)
    assert (poison["state"], good["state"]) == ("failed", "loaded")
    assert "given up after 10 attempts" in poison["message"]
