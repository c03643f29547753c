"""How the landing sensor finds drops: by listing, sooner by notifications, and for runs of a bounded length."""

import time
from dataclasses import replace
from datetime import date
from urllib.parse import urlparse

import boto3
import dagster as dg
import pytest
from dagster_private import BulkActionStatus, PartitionBackfill
from visits import HEADER, VISITS

from lastmile.contracts import Partition
from lastmile.ingestion import worker
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset, raw_key
from lastmile.orchestration.drops.requests import run_requests
from lastmile.orchestration.sensors import landing_sensor
from lastmile.settings import Settings
from lastmile.store import open_store


@pytest.fixture
def sensor_tick(visits_platform, instance):
    """One look of the sensor; returns what it asked for and its cursor."""
    assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)

    def tick(cursor=None):
        resources = {"platform": visits_platform}
        definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=resources)
        with dg.build_sensor_context(
            instance=instance, definitions=definitions, resources=resources, cursor=cursor
        ) as context:
            return sensor.evaluate_tick(context)

    return tick


@pytest.fixture
def queue(environment, s3_store_url, monkeypatch):
    """A bucket as the store, and a queue for its notifications."""
    url = boto3.client("sqs").create_queue(QueueName=urlparse(s3_store_url).netloc)["QueueUrl"]
    monkeypatch.setenv("LASTMILE_STORE_URL", s3_store_url)
    monkeypatch.setenv("LASTMILE_NOTIFICATIONS_URL", url)
    return url


def put(name, *rows, year="2020"):
    store = open_store(Settings.from_environment())
    store.put(f"landing/visits/{year}/{name}", "\n".join([HEADER, *rows]).encode())


def asked(tick):
    return [request.partition_key for request in tick.run_requests or []]


@pytest.mark.behaviour(number=6)
def test_a_queue_makes_listings_rare_and_a_listing_makes_lost_notifications_good(queue, sensor_tick):
    first = sensor_tick()
    put("a.csv", "v1,3,2,1,done")
    silent = sensor_tick(first.cursor)
    assert asked(silent) == []
    minutes_ago = str(time.time() - 301)
    assert asked(sensor_tick(minutes_ago)) == ["2020"]


def test_a_clock_set_back_does_not_put_off_the_next_listing(queue, sensor_tick):
    put("a.csv", "v1,3,2,1,done")
    tomorrow = str(time.time() + 86_400)
    assert asked(sensor_tick(tomorrow)) == ["2020"]


def test_a_queue_that_cannot_be_read_is_told_and_the_area_is_listed(queue, sensor_tick, monkeypatch):
    monkeypatch.setenv("LASTMILE_NOTIFICATIONS_URL", f"{queue}-which-is-not-there")
    put("a.csv", "v1,3,2,1,done")
    assert asked(sensor_tick(str(time.time()))) == ["2020"]


@pytest.mark.behaviour(number=8)
def test_a_backlog_asks_for_one_run_a_partition_until_it_is_worked_off(
    sensor_tick, visits_platform, instance, monkeypatch
):
    monkeypatch.setattr(worker, "MAX_DROPS", 4)
    for number in range(10):
        put(f"{number}.csv", f"v{number},3,2,1,done")
    assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
    for left in (6, 2, 0):
        assert asked(sensor_tick()) == ["2020"]
        result = dg.materialize(
            assets, instance=instance, resources={"platform": visits_platform}, partition_key="2020"
        )
        settled = {check.check_name: check for check in result.get_asset_check_evaluations()}["every_drop_settled"]
        assert settled.passed == (left == 0)
        assert left == 0 or f"{left} drops wait for the next run" in settled.description
    assert asked(sensor_tick()) == []


@pytest.mark.behaviour(number=8)
def test_a_tick_with_thousands_of_new_drops_is_far_below_its_deadline(sensor_tick):
    folder = open_store(Settings.from_environment())
    for number in range(2_000):
        folder.put(f"landing/visits/{2019 + number % 3}/{number}.csv", b"")
    began = time.monotonic()
    (request,) = sensor_tick().run_requests
    assert request.tags["dagster/asset_partition_range_start"] == "2019"
    assert request.tags["dagster/asset_partition_range_end"] == "2021"
    assert time.monotonic() - began < 10  # Dagster ends a tick after 60 seconds


def test_the_days_of_a_month_are_asked_for_in_one_run(instance, visits_platform):
    days = [("visits", f"2024-{day}", 1, 1) for day in ("02-27", "02-29", "03-01")]
    daily = {"visits": replace(VISITS, partition=Partition("day", start=date(2024, 1, 1)))}
    february, march = run_requests(instance, None, daily, days)
    assert february.partition_key is None
    assert february.tags["dagster/asset_partition_range_start"] == "2024-02-27"
    assert february.tags["dagster/asset_partition_range_end"] == "2024-02-29"
    assert march.partition_key == "2024-03-01"


def test_drops_under_a_backfill_are_left_to_it(instance, sensor_tick):
    put("a.csv", "v1,3,2,1,done")
    backfill = PartitionBackfill(
        "asked-by-hand", BulkActionStatus.REQUESTED, False, {}, time.time(), asset_selection=[raw_key("visits")]
    )
    instance.add_backfill(backfill)
    assert asked(sensor_tick()) == []
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert asked(sensor_tick()) == ["2020"]
