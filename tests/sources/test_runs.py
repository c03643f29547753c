"""Runs of a source: whatever the server does, each record is in the warehouse once; the cursor moves with the rows."""

from datetime import UTC, datetime, timedelta

import pytest
from declaring import changed
from orders import moment
from rest_server import Reply

from lastmile import ledger
from lastmile.contracts import Partition
from lastmile.errors import UserError
from lastmile.sources import fetches, runs
from lastmile.sources.cursors import standing
from lastmile.sources.running import alone, run


def cursor(shop):
    return standing(shop.connection, shop.store.url, "shop").begin


def test_a_fetch_of_everything_lands_under_its_day_and_replaces_an_earlier_one_of_the_day(shop):
    shop.add(1, 2, 3)
    assert shop.fetch(incremental=None).state == "landed"
    assert shop.ingest() == ["loaded"]
    shop.add(4)
    del shop.records[0]
    shop.fetch(incremental=None)
    assert shop.landed_keys() == [f"landing/orders/{datetime.now(UTC):%Y-%m-%d}/shop.jsonl"]
    shop.ingest()
    assert shop.rows() == shop.once()


def test_a_collection_that_became_empty_is_empty(shop):
    shop.add(1, 2)
    shop.fetch(incremental=None)
    shop.ingest()
    shop.records.clear()
    shop.fetch(incremental=None)
    assert shop.ingest() == ["loaded"]
    assert shop.rows() == {}


def test_the_cursor_moves_when_the_rows_are_loaded_and_not_before(shop):
    shop.add(*range(30))
    ran = shop.fetch()
    assert (ran.records, ran.cursor_from, ran.cursor_to) == (30, None, moment(29))
    assert cursor(shop) is None
    shop.ingest()
    assert cursor(shop) == moment(29)


def test_only_what_is_new_is_fetched_and_landed(shop):
    shop.add(*range(30))
    shop.fetch()
    shop.ingest()
    shop.add(30, 31)
    ran = shop.fetch()
    assert shop.api.requests[-1].params["since"] == moment(19)
    assert (ran.records, ran.repeated) == (2, 11)
    shop.ingest()
    assert shop.rows() == shop.once()
    assert cursor(shop) == moment(31)


def test_where_nothing_is_new_nothing_is_landed(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.ingest()
    ran = shop.fetch()
    assert (ran.state, ran.records, ran.fetch) == ("nothing new", 0, None)
    assert len(shop.landed_keys()) == 1
    assert cursor(shop) == moment(2)


def test_records_with_the_cursors_own_value_are_neither_lost_nor_doubled(shop):
    shop.overlap = None
    shop.add(1, 2, 2)
    shop.fetch()
    shop.ingest()
    shop.add(2, 3)
    assert shop.fetch().records == 2
    shop.ingest()
    assert shop.rows() == shop.once()


def test_records_that_appear_late_within_the_overlap_are_landed_once(shop):
    shop.add(1, 20)
    shop.fetch()
    shop.ingest()
    shop.add(12)
    assert shop.fetch().records == 1
    shop.ingest()
    assert shop.fetch().state == "nothing new"
    assert shop.rows() == shop.once()
    assert cursor(shop) == moment(20)


def test_late_records_at_an_unmoved_cursor_do_not_replace_each_other(shop):
    shop.add(20)
    shop.fetch()
    shop.ingest()
    for minute in (12, 13, 14):
        shop.add(minute)
        shop.fetch()
        shop.ingest()
    assert shop.rows() == shop.once()
    assert len(shop.landed_keys()) == 4


def test_fetched_again_before_it_is_ingested_a_drop_is_replaced(shop):
    shop.add(1, 2)
    first = shop.fetch()
    shop.add(3)
    second = shop.fetch()
    assert (first.key, second.records) == (second.key, 3)
    shop.ingest()
    assert shop.rows() == shop.once()


def test_the_day_of_a_drop_that_waits_stays_when_it_is_fetched_again_the_next_day(shop):
    """Under another day it would be another drop, and its rows be there twice."""
    shop.add(1, 2)
    first = shop.fetch()
    shop.query(
        "UPDATE sources.fetches SET partition = '2026-03-01', key = %s RETURNING 1", "landing/orders/2026-03-01/a"
    )
    shop.store.put("landing/orders/2026-03-01/a", shop.store.read(first.key))
    shop.store.delete(first.key)
    shop.add(3)
    assert shop.fetch().partition == "2026-03-01"
    shop.ingest()
    assert shop.rows() == shop.once()


def test_a_drop_that_is_quarantined_whole_does_not_move_the_cursor_and_comes_again_mended(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.ingest()
    shop.add(3, 4, 5, amount=-1)
    shop.fetch()
    assert shop.ingest() == ["quarantined"]
    assert cursor(shop) == moment(2)
    for record in shop.records:
        record["amount"] = 1
    shop.add(6)
    assert shop.fetch().records == 6  # those that changed count as new: their bytes are
    shop.ingest()
    assert {name for name, count in shop.rows().items()} == set(shop.once())
    assert cursor(shop) == moment(6)


def test_one_bad_record_is_quarantined_and_the_cursor_goes_on(shop):
    shop.add(1, 2, 3)
    shop.records[1]["amount"] = "many"
    shop.fetch()
    assert shop.ingest() == ["loaded"]
    assert shop.fetch().state == "nothing new"
    assert shop.query("SELECT count(*) FROM quarantine.rows") == [{"count": 1}]


def test_a_drop_that_was_discarded_counts_as_never_fetched(shop):
    shop.add(1, 2, amount=-1)
    shop.fetch()
    shop.ingest()
    ledger.discard_drops(shop.connection, [1], "test data")
    for record in shop.records:
        record["amount"] = 1
    shop.fetch()
    shop.ingest()
    assert shop.rows() == shop.once()


def test_a_server_that_does_not_heed_the_cursor_doubles_nothing_and_is_named(shop):
    shop.heeds = False
    shop.add(*range(40))
    shop.fetch()
    shop.ingest()
    shop.add(40, 3)
    ran = shop.fetch()
    assert (ran.records, ran.repeated) == (2, 40)
    assert "or it does not heed 'since'" in " ".join(ran.events)
    shop.ingest()
    assert shop.rows() == shop.once()


def test_a_cursor_that_goes_backwards_loses_nothing_and_moves_nothing_back(shop):
    """As of a server that was restored, or whose clock was set: new records come with earlier moments."""
    shop.add(100, 101)
    shop.fetch()
    shop.ingest()
    shop.heeds = False
    shop.records.clear()
    shop.records += [{"order_id": f"new{minute}", "at": moment(minute), "amount": 1} for minute in (50, 51)]
    ran = shop.fetch()
    assert ran.records == 2
    assert f"the newest record is of {moment(51)}, before {moment(101)}" in " ".join(ran.events)
    shop.ingest()
    assert shop.rows() == {"o0": 1, "o1": 1, "new50": 1, "new51": 1}
    assert cursor(shop) == moment(101)
    assert shop.fetch().state == "nothing new"


def test_a_record_from_the_future_does_not_draw_the_cursor_there(shop):
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    shop.add(1, 2)
    shop.records.append({"order_id": "future", "at": ahead, "amount": 1})
    ran = shop.fetch()
    assert ran.cursor_to == moment(2)
    assert "in the future" in ran.events[0]
    shop.ingest()
    shop.add(3)
    shop.fetch()
    shop.ingest()
    assert shop.rows() == shop.once()


def test_records_without_a_cursor_are_landed_once(shop):
    shop.add(1, 2)
    shop.records.append({"order_id": "timeless", "at": None, "amount": 1})
    shop.answer = lambda request: Reply(shop.records if request.params["page"] == "1" else [])
    shop.fetch()
    shop.ingest()
    shop.add(3)
    assert shop.fetch().records == 1


def test_since_fetches_from_earlier_on_only_what_is_not_there(shop):
    shop.add(*range(0, 100, 5))
    shop.fetch()
    shop.ingest()
    shop.add(7, 8)  # far before the overlap
    assert shop.fetch().state == "nothing new"
    ran = shop.fetch(since=moment(0))
    assert (ran.records, ran.cursor_to) == (2, moment(95))
    shop.ingest()
    assert shop.rows() == shop.once()
    assert cursor(shop) == moment(95)


def test_since_does_not_leave_out_what_waits(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.add(3)
    shop.fetch(since=moment(2))
    shop.ingest()
    assert shop.rows() == shop.once()


def test_fetched_more_often_than_ingested_a_drop_is_left_to_be_ingested(shop):
    def patiently():
        return run(shop.connection, shop.store, shop.source(), shop.contract, is_patient=True)

    shop.add(1, 2)
    assert patiently().records == 2
    shop.add(3)
    waited = patiently()
    assert (waited.state, waited.requests) == ("nothing new", 0)
    assert "is not ingested yet" in waited.events[0]
    shop.ingest()
    assert patiently().records == 1
    shop.add(4)
    shop.query("UPDATE sources.fetches SET begun_at = begun_at - interval '2 hours' RETURNING 1")
    assert patiently().records == 2
    shop.ingest()
    assert shop.rows() == shop.once()


def test_a_fetch_of_everything_that_waits_is_left_to_be_ingested_too_but_for_that_of_another_day(shop):
    def patiently():
        return run(shop.connection, shop.store, shop.source(incremental=None), shop.contract, is_patient=True)

    shop.add(1, 2)
    assert patiently().state == "landed"
    assert patiently().state == "nothing new"
    shop.query("UPDATE sources.fetches SET partition = '2026-03-01' RETURNING 1")
    assert patiently().state == "landed"


def test_what_is_held_back_is_fetched_again_at_once(shop):
    shop.add(1, 2, amount=-1)
    shop.fetch()
    assert shop.ingest() == ["quarantined"]
    assert run(shop.connection, shop.store, shop.source(), shop.contract, is_patient=True).records == 2


def test_since_is_for_sources_with_a_cursor(shop):
    with pytest.raises(UserError, match="fetches everything each time"):
        shop.fetch(since="2026-01-01", incremental=None)


def test_a_run_that_fails_lands_nothing_and_says_why_in_the_history(shop):
    shop.add(1, 2)
    shop.api.next.append(Reply(b"gone", 410))
    with pytest.raises(UserError, match="410 Gone"):
        shop.fetch()
    (last,) = runs.times(shop.connection, "shop", 5)
    assert last["state"] == "failed"
    assert "410 Gone" in last["message"]
    assert shop.landed_keys() == []


def test_an_endless_server_changes_nothing(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.ingest()
    shop.answer = lambda request: Reply([{"order_id": "x", "at": moment(9), "amount": 1}])
    with pytest.raises(UserError, match="its pages do not end"):
        shop.fetch()
    shop.ingest()
    assert shop.rows() == {"o0": 1, "o1": 1}
    assert cursor(shop) == moment(2)


def test_a_dataset_whose_partitions_begin_tomorrow_has_nowhere_to_land(shop):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    shop.contract = changed(shop.contract, partition=Partition("day", start=tomorrow))
    with pytest.raises(UserError, match="let its partitions start earlier"):
        shop.fetch()


def test_two_runs_of_a_source_do_not_meet(shop, database_url, monkeypatch):
    import psycopg

    monkeypatch.setattr("lastmile.sources.running._UNTIL_GONE_SECONDS", 0.2)
    at_work = pytest.raises(UserError, match="is being fetched by another run")
    with psycopg.connect(database_url, autocommit=True) as other, alone(other, "shop"), at_work:
        shop.fetch()
    shop.add(1)
    assert shop.fetch().records == 1


def test_a_changed_schema_loads_what_fits_and_says_what_does_not(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.ingest()
    for record in shop.records:
        record["discount"] = 5
    shop.add(3)
    shop.records[-1]["discount"] = 7
    shop.fetch()
    assert shop.ingest() == ["loaded"]
    change = shop.query("SELECT schema_change FROM ledger.drops ORDER BY id DESC LIMIT 1")[0]["schema_change"]
    assert "discount" in str(change)


def test_a_schema_without_a_required_column_quarantines_the_drop_and_holds_the_cursor(shop):
    shop.add(1)
    shop.fetch()
    shop.ingest()
    shop.records.append({"number": "o1", "at": moment(2), "amount": 1})
    shop.fetch()
    assert shop.ingest() == ["quarantined"]
    assert cursor(shop) == moment(1)


def test_a_store_that_was_restored_elsewhere_goes_on_where_it_was(shop):
    shop.add(1, 2)
    shop.fetch()
    shop.ingest()
    shop.connection.execute("UPDATE sources.fetches SET store = 'before'")
    assert cursor(shop) is None
    fetches.relocate(shop.connection, "before", shop.store.url)
    assert shop.fetch().state == "nothing new"


def test_a_long_history_is_looked_through_some_at_a_time(shop, monkeypatch):
    monkeypatch.setattr(fetches, "_AT_ONCE", 2)
    for minute in range(0, 100, 20):
        shop.add(minute)
        shop.fetch()
        shop.ingest()
    shop.heeds = False
    shop.add(3)
    assert shop.fetch().records == 1
    assert cursor(shop) == moment(80)
    shop.ingest()
    assert shop.rows() == shop.once()
