"""A dataset that nothing comes in for any more shows as stale without a run, once, and as fresh again once."""

from datetime import timedelta

import dagster as dg
import pytest
from declaring import changed
from visits import HEADER, VISITS, YEARS

from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.orchestration.drop_assets import cleaned_key
from lastmile.orchestration.freshness import freshness_sensor
from lastmile.orchestration.resources import Platform

DAILY = changed(VISITS, expected_every=timedelta(days=1))
FRESH = dg.AssetCheckKey(cleaned_key("visits"), "fresh")


class DailyVisits(Platform):
    def contracts(self):
        return {"visits": DAILY}


@pytest.fixture
def look(environment, instance):
    """Let the sensor look once; the check's verdicts so far, oldest first."""
    sensor, cursor = freshness_sensor(600), None

    def look():
        nonlocal cursor
        with dg.build_sensor_context(
            instance=instance, resources={"platform": DailyVisits()}, cursor=cursor
        ) as context:
            cursor = sensor.evaluate_tick(context).cursor
        history = instance.event_log_storage.get_asset_check_execution_history(FRESH, limit=10)
        return [record.event.dagster_event.asset_check_evaluation_data.passed for record in reversed(history)]

    return look


def test_a_dataset_becomes_stale_with_time_and_fresh_with_a_drop(look, store):
    def arrive(name):
        store.put(f"landing/visits/2020/{name}.csv", f"{HEADER}\n{name},3,2,1,done\n".encode())
        discover(connection, store, {"visits": DAILY})
        ingest_pending(connection, store, DAILY, YEARS, "test")

    with DailyVisits().connect() as connection:
        arrive("v1")
        assert look() == []
        connection.execute("UPDATE ledger.drops SET modified_at = now() - interval '2 days'")
        assert look() == [False]
        assert look() == [False]
        arrive("v2")
        assert look() == [False, True]
        assert look() == [False, True]
