"""Whatever happens is seen in the database by one look, whoever did it; what a run writes while it works is not."""

import dagster as dg
import pytest
from dagster_private import BulkActionStatus, InstigatorStatus, PartitionBackfill, add_tick, create_run_for_test
from databases import dagster_in_postgres
from visits import HEADER, VISITS

from lastmile.ingestion.discovery.listing import discover
from lastmile.ledger import request_reingest
from lastmile.orchestration.runs.changes import standing
from lastmile.warehouse.connections import connect


@pytest.fixture
def instance(tmp_path, database_url):
    with dagster_in_postgres(tmp_path, database_url) as instance:
        yield instance


@pytest.fixture
def connection(instance, database_url):
    with connect(database_url) as connection:
        yield connection


def changed(connection, before) -> bool:
    return standing(connection).may_be_followed(before)


def test_nothing_has_happened_where_nothing_has(connection):
    before = standing(connection)
    assert not before.working
    assert not changed(connection, before)


def test_a_run_is_under_way_from_its_request_to_its_end_and_the_end_is_noticed(instance, connection):
    idle = standing(connection)
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTING)
    queued = standing(connection)
    assert queued.working == {run.run_id}
    assert not queued.may_be_followed(idle)  # its end may be followed by something, its start is not
    instance.report_engine_event("at work", run)
    assert not changed(connection, queued)
    instance.report_run_failed(run)
    assert changed(connection, queued)
    assert not standing(connection).working


def test_a_run_that_ends_while_another_goes_on_is_noticed(instance, connection):
    first, _ = (create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED) for _ in range(2))
    both = standing(connection)
    instance.report_run_failed(first)
    assert changed(connection, both)
    assert standing(connection).working


def test_a_backfill_is_under_way_until_it_ends(instance, connection):
    backfill = PartitionBackfill("one", BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=0.0)
    instance.add_backfill(backfill)
    requested = standing(connection)
    assert requested.working == {"one"}
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert changed(connection, requested)


def test_what_is_reported_without_a_run_is_noticed(instance, connection):
    before = standing(connection)
    instance.report_runless_asset_event(dg.AssetMaterialization("by_hand"))
    assert changed(connection, before)


def test_a_request_about_a_settled_drop_is_noticed(instance, connection, store):
    store.put("landing/visits/2020/a.csv", f"{HEADER}\n".encode())
    discover(connection, store, {"visits": VISITS})
    connection.execute("UPDATE ledger.drops SET state = 'loaded', settled_at = now()")
    before = standing(connection)
    assert request_reingest(connection, 1)
    assert changed(connection, before)


def test_a_drop_whose_time_has_come_is_noticed(instance, connection, store):
    store.put("landing/visits/2020/a.csv", f"{HEADER}\n".encode())
    discover(connection, store, {"visits": VISITS})
    connection.execute("UPDATE ledger.drops SET not_before = now() + interval '1 hour'")
    before = standing(connection)
    assert not changed(connection, before)
    connection.execute("UPDATE ledger.drops SET not_before = now() - interval '1 second'")
    assert changed(connection, before)


def test_a_sensor_that_is_switched_off_is_noticed_and_its_ticks_are_not(instance, connection):
    add_tick(instance, "landing", "SKIPPED")
    before = standing(connection)
    add_tick(instance, "landing", "SKIPPED")
    assert not changed(connection, before)
    (state,) = instance.all_instigator_state()
    instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert changed(connection, before)
