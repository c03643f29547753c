"""Partitions ingested in parallel in one process, with the result of ingesting them sequentially."""

from threading import Barrier, Thread

import psycopg
import pytest
from visits import VISITS, YEARS, checked_site

from lastmile import ledger
from lastmile.errors import UserError
from lastmile.ingestion.parallel import Budget, ingest_in_parallel
from lastmile.store import Store


@pytest.fixture
def here(store, database_url):
    with checked_site(store, database_url) as site:
        yield site


def connecting(site):
    return lambda: psycopg.connect(site.database_url, autocommit=True)


def take(site, **more):
    return ingest_in_parallel(connecting(site), site.store, VISITS, YEARS, "side by side", threads=2, **more)


def put_many(site):
    for year in YEARS:
        for number in range(12):
            rows = [f"v{(7 * number + row) % 30},{row % 70},2,1,done" for row in range(20)]
            site.put_rows(f"{number:02}.csv", *rows, year=year)
        site.put("unfit.csv", "persons\n3\n", year=year)
    site.discover()


def state_of(site):
    return (
        site.query("SELECT key, state, message, rows_read, rows_loaded, rows_duplicate FROM ledger.drops ORDER BY key"),
        site.query("SELECT visit, persons, _drop_id, _line, _partition_start FROM raw.visits ORDER BY _drop_id, _line"),
        site.query("SELECT drop_id, partition, line, reasons FROM quarantine.rows ORDER BY drop_id, line"),
    )


def test_the_result_is_that_of_a_sequential_ingest_and_of_its_redo(here):
    put_many(here)
    reported = []
    outcomes = take(here, report=lambda drop, outcome: reported.append((drop.id, outcome.state)))
    assert len(outcomes) == len(reported) == 3 * 13
    at_once = state_of(here)
    assert len(take(here, redo=True)) == 3 * 13
    assert state_of(here) == at_once
    here.take(redo=True)
    assert state_of(here) == at_once


def test_two_partitions_are_ingested_in_parallel(here, monkeypatch):
    for year in YEARS[:2]:
        here.put_rows("a.csv", f"{year},3,2,1,done", year=year)
    here.discover()
    both, fetch = Barrier(2), here.store.fetch

    def meet(*arguments):
        both.wait(timeout=30)
        return fetch(*arguments)

    monkeypatch.setattr(type(here.store), "fetch", lambda _, *arguments: meet(*arguments))
    assert [outcome.loaded for outcome in take(here)] == [1, 1]


def test_an_error_in_one_partition_is_raised_and_no_drop_is_lost(here, monkeypatch):
    put_many(here)

    def full_for_2021(read):
        def full(store, drop, file):
            if "/2021/" in drop.key:
                raise OSError(28, "No space left on device")
            return read(store, drop, file)

        return full

    with monkeypatch.context() as patched:
        for read in (Store.fetch, Store.pin):  # a file is pinned once it is idle
            patched.setattr(Store, read.__name__, full_for_2021(read))
        with pytest.raises(UserError, match="No space left"):
            take(here)
    here.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    take(here)
    assert set(here.states()) == {"loaded", "quarantined"}


def test_when_a_run_is_canceled_the_drops_not_begun_are_left_for_another(here):
    for year in YEARS:
        for number in range(150):
            here.put_rows(f"{number}.csv", f"{year}-{number},3,2,1,done", year=year)
    here.discover()

    def cancel(drop, outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(here, report=cancel)
    assert "loaded" in here.states()
    assert here.states().count("loaded") <= 2 * 100
    assert ledger.pending(here.connection, here.store.url)
    take(here)
    assert set(here.states()) == {"loaded"}


def test_a_request_above_the_budget_waits_for_all_of_it_and_later_requests_wait_behind():
    budget, order = Budget(10), []

    def hold(name, amount):
        with budget.reserve(amount):
            order.append(name)

    threads = [Thread(target=hold, args=asked) for asked in (("large", 1000), ("small", 1))]
    with budget.reserve(6):
        for thread in threads:
            thread.start()
            thread.join(0.2)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == ["large", "small"]
