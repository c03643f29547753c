"""Failures of disk, files, clock and database: never counted against a drop, which is ingested afterwards."""

import os
import subprocess
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from faults.disk import fill, small_disk
from faults.workers import Workers
from faults.zygote import ENVIRONMENT
from visits import VISITS, Site, checked_site

from lastmile import ledger
from lastmile.embedded import postgres
from lastmile.errors import UserError
from lastmile.ingestion import worker
from lastmile.operations.audit import violations
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.migrate import migrate
from lastmile.warehouse.tables import ensure_table

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
ROWS = [f"v{number:04},3,2,1,done" for number in range(3000)]


@pytest.fixture
def site(store, database_url):
    with checked_site(store, database_url) as here:
        yield here


@contextmanager
def site_on(url, folder):
    """A site on a database that is not the suite's own, with a folder of objects."""
    with psycopg.connect(url, autocommit=True) as connection:
        ensure_table(connection, VISITS)
        yield Site(open_store(Settings(Path(), url, folder.as_uri(), "")), connection, url)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    forked = Workers(tmp_path_factory.mktemp("workers") / "log")
    yield forked
    forked.close()


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder) as small:
        if small is None:
            pytest.skip("a small file system can be made by root only, where mounting is allowed")
        yield small


def job(site, *steps, **more):
    return {"database": site.database_url, "store": site.store.url, "steps": steps, "run": "worker", **more}


def assert_waits(site):
    (drop,) = site.drops()
    assert (drop["state"], drop["attempts"], drop["claim"], site.visits()) == ("discovered", 0, None, [])


def assert_is_taken_now(site):
    site.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    assert [outcome.loaded for outcome in site.take()] == [len(ROWS)]
    assert len(site.visits()) == len(ROWS)


def test_a_full_temporary_folder_is_not_the_drops_fault(site, workers, disk):
    """The first has no space for the copy, the second for the Parquet file next to it."""
    site.put_rows("a.csv", *ROWS)
    site.discover()
    fill(disk)
    for room in (0, len("\n".join(ROWS)) // 4096 * 4096 + 4096):
        with (disk / "filler").open("rb+") as filler:
            filler.truncate((disk / "filler").stat().st_size - room)
        code = workers.run(job(site, "take", temporary=str(disk)))
        assert code == ENVIRONMENT, workers.words()
        assert "No space left" in workers.words()
        assert_waits(site)
        site.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    assert_is_taken_now(site)


def test_a_full_folder_of_objects_is_not_the_drops_fault(disk, site, monkeypatch):
    monkeypatch.setenv("LASTMILE_STORE_URL", disk.as_uri())
    site.store = open_store(Settings.from_environment())
    site.put_rows("a.csv", *ROWS)
    site.discover()
    fill(disk)
    with pytest.raises(UserError, match="No space left"):
        site.take()
    assert_waits(site)
    (disk / "filler").unlink()
    assert_is_taken_now(site)


def test_too_few_open_files_are_not_the_drops_fault(site, workers):
    site.put_rows("a.csv", *ROWS)
    site.discover()
    for files in range(6, 22):
        workers.run(job(site, "take", open_files=files))
        (drop,) = site.drops()
        assert drop["state"] in ("discovered", "claimed", "loaded"), drop["message"]
        if drop["state"] == "loaded":
            break
        site.query("UPDATE ledger.drops SET not_before = now(), attempts = 0 RETURNING id")
    site.take()
    assert len(site.visits()) == len(ROWS)


def test_what_the_database_cannot_hold_is_the_drops_fault_and_holds_up_no_other(site, monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", timedelta(milliseconds=1))
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    settle = ledger.settle

    def refusing(connection, settled, run_id):
        if any(one.drop.key.endswith("a.csv") and one.outcome.state == "loaded" for one in settled):
            connection.execute("SELECT repeat('x', 2000000000) || repeat('x', 2000000000)")
        settle(connection, settled, run_id)

    monkeypatch.setattr(ledger, "settle", refusing)
    site.take()
    assert site.states() == ["failed", "loaded"]
    assert "ProgramLimitExceeded" in site.drops()[0]["message"]


def test_faults_of_the_environment_never_add_up_to_giving_a_drop_up(site, monkeypatch):
    site.put_rows("a.csv", *ROWS)
    site.discover()
    with monkeypatch.context() as ill:
        ill.setattr(worker, "load_drop", lambda *_: (_ for _ in ()).throw(MemoryError("out of memory")))
        for _ in range(ledger.MOST_ATTEMPTS + 1):
            with pytest.raises(UserError, match="remains in the queue"):
                site.take()
            site.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    assert_is_taken_now(site)


def test_an_unavailable_drop_lets_the_others_go_first_the_next_time(site, monkeypatch):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    pin = type(site.store).pin

    def denied(store, wanted, to):
        if wanted.key.endswith("a.csv"):
            raise UserError("access is denied")
        return pin(store, wanted, to)

    monkeypatch.setattr(worker, "read_batch", lambda *_: {})  # each is read individually
    monkeypatch.setattr(type(site.store), "pin", denied)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", timedelta(seconds=1))
    for _ in range(2):
        with pytest.raises(UserError, match="access is denied"):
            site.take()
    assert site.states() == ["discovered", "loaded"]


def test_a_worker_whose_session_is_cut_can_commit_nothing(site, workers):
    site.put_rows("a.csv", *ROWS)
    site.discover()
    worker = workers.start(job(site, "take", fault=["stop at", "before the commit", 1]))
    assert workers.wait(worker) is None
    site.query(
        "SELECT pg_terminate_backend(pid, 10_000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert [outcome.loaded for outcome in site.take()] == [len(ROWS)]
    workers.let_on(worker)
    assert workers.wait(worker) == ENVIRONMENT
    assert len(site.visits()) == len(ROWS)


@pytest.mark.parametrize("hard", ["immediate", "kill"])
@pytest.mark.behaviour(number=9)
def test_postgres_restarted_hard_in_the_middle_of_a_copy_leaves_no_rows_and_the_retry_all(tmp_path, workers, hard):
    folder = tmp_path / "postgres"
    with postgres.started(folder) as url:
        migrate(url)
        with site_on(url, tmp_path / "store") as site:
            site.put_rows("a.csv", *ROWS)
            site.discover()
            worker = workers.start(job(site, "take", fault=["stop at", "mid COPY", 1]))
            assert workers.wait(worker) is None
            stop_hard(folder, hard)
        postgres.start(folder)
        workers.let_on(worker)
        assert workers.wait(worker) == ENVIRONMENT
        with site_on(url, tmp_path / "store") as site:
            assert site.visits() == []
            assert [outcome.loaded for outcome in site.take()] == [len(ROWS)]
            assert site.cleaned() == site.visits()
            assert violations(site.connection, VISITS.name) == []


def stop_hard(folder: Path, how: str) -> None:
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    if how == "kill":
        os.kill(server, 9)
    else:
        os.kill(server, 3)  # what `pg_ctl stop -m immediate` sends
    subprocess.run(["tail", "--pid", str(server), "-f", "/dev/null"], timeout=60, check=True)


@pytest.fixture
def nothing_faked_before():
    """libfaketime refuses a process whose number a killed one had, and whose shared memory still lies there."""
    for left in Path("/dev/shm").glob("*faketime_*"):
        if not Path("/proc", left.name.rpartition("_")[2]).exists():
            with suppress(FileNotFoundError, PermissionError):
                left.unlink()


@pytest.mark.usefixtures("nothing_faked_before")
@pytest.mark.skipif(not FAKETIME.exists(), reason=f"needs libfaketime at {FAKETIME}")
@pytest.mark.parametrize("shift", ["-1d", "+1d"])
def test_a_worker_whose_clock_is_a_day_off_ingests_what_is_due_and_nothing_else(site, tmp_path, shift):
    """Claims and waits go by the database's clock alone."""
    site.put_rows("held.csv", "v1,3,2,1,done")
    site.put_rows("waiting.csv", "v2,3,2,1,done")
    site.put_rows("free.csv", *ROWS)
    site.discover()
    held = ledger.claim_next(site.connection, site.store.url, "visits", ["2020"], "other")
    assert held is not None
    site.query(
        "UPDATE ledger.drops SET not_before = now() + interval '1 hour' WHERE key LIKE '%%waiting%%' RETURNING id"
    )
    workers = Workers(
        tmp_path / "log", {"LD_PRELOAD": str(FAKETIME), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    )
    try:
        assert workers.run(job(site, "look", "take")) == 0, workers.words()
        assert {drop["key"].rsplit("/")[-1]: drop["state"] for drop in site.drops()} == {
            "held.csv": "claimed" if held.key.endswith("held.csv") else "loaded",
            "waiting.csv": "discovered",
            "free.csv": "claimed" if held.key.endswith("free.csv") else "loaded",
        }
    finally:
        workers.close()
    assert [
        outcome.state
        for outcome in (worker.ingest_drop(site.connection, site.store, VISITS, held, "other"),)
        if outcome
    ]


@pytest.mark.usefixtures("nothing_faked_before")
@pytest.mark.skipif(not FAKETIME.exists(), reason=f"needs libfaketime at {FAKETIME}")
@pytest.mark.parametrize("shift", ["-1d", "+1d"])
def test_postgres_whose_clock_jumps_a_day_between_two_runs_loses_and_doubles_nothing(tmp_path, monkeypatch, shift):
    folder = tmp_path / "postgres"
    with postgres.started(folder) as url:
        migrate(url)
        with site_on(url, tmp_path / "store") as site:
            site.put_rows("a.csv", "v1,3,2,1,done")
            site.put_rows("b.csv", "v2,3,2,1,done")
            site.discover()
            ledger.claim_next(site.connection, site.store.url, "visits", ["2020"], "lost with its session")
        postgres.stop(folder)
        with monkeypatch.context() as clock:
            clock.setenv("LD_PRELOAD", str(FAKETIME))
            clock.setenv("FAKETIME", shift)
            clock.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            postgres.start(folder)
        with site_on(url, tmp_path / "store") as site:
            off = site.query("SELECT extract(epoch FROM clock_timestamp()) AS now")[0]["now"]
            assert abs(float(off) - time.time()) > 80_000
            site.put_rows("c.csv", "v3,3,2,1,done")
            site.discover()
            site.query("UPDATE ledger.drops SET not_before = least(not_before, now()) RETURNING id")
            site.take()
            assert site.visits() == site.cleaned() == ["v1", "v2", "v3"]
            assert violations(site.connection, VISITS.name) == []
