"""A source as an asset: a run lands a drop that its dataset goes on from, and says how it went."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from orders import ORDERS, Shop, shop_at
from rest_server import Api, Reply, api_server

from lastmile.learning.declarations.loading import load_reports
from lastmile.orchestration.drops.assets import raw_asset, raw_key
from lastmile.orchestration.learning.reports import report_asset
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.sources import source_asset, source_key, source_schedule
from lastmile.sources import Schedule
from lastmile.sources.judging import stale, unusual_count
from lastmile.sources.rest import client


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.01)
    with api_server() as one:
        yield one


@pytest.fixture
def shop(environment: None, api: Api, store, database_url) -> Iterator[Shop]:
    with shop_at(api, store, database_url) as one:
        yield one


def fetched(shop, instance, raise_on_error=True, **more):
    asset = source_asset(shop.source(**more), ORDERS)
    resources = {"platform": Platform()}
    return dg.materialize([asset], instance=instance, resources=resources, raise_on_error=raise_on_error)


def verdicts(result):
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def test_a_run_lands_a_drop_and_says_what_came(shop, instance):
    shop.add(1, 2, 3)
    result = fetched(shop, instance)
    (made,) = result.asset_materializations_for_node("sources__shop")
    assert made.metadata["dagster/row_count"].value == 3
    assert made.metadata["drop"].value in shop.landed_keys()
    assert verdicts(result) == {"fresh": True, "count_as_last_time": True}
    shop.ingest()
    assert shop.rows() == shop.once()


def test_many_fewer_records_than_last_time_are_a_warning(shop, instance):
    shop.add(*range(40))
    fetched(shop, instance, incremental=None)
    shop.ingest()
    del shop.records[5:]
    result = fetched(shop, instance, incremental=None)
    assert verdicts(result) == {"fresh": True, "count_as_last_time": False}
    (said,) = [one.description for one in result.get_asset_check_evaluations() if not one.passed]
    assert said.startswith("5 records came, and 40 the time before")


def test_what_happened_on_the_way_is_in_the_metadata_and_the_log(shop, instance):
    shop.add(1)
    shop.api.next.append(Reply(b"busy", 503))
    result = fetched(shop, instance)
    (made,) = result.asset_materializations_for_node("sources__shop")
    assert "503 Service Unavailable" in made.metadata["events"].value


def test_a_refusal_is_not_tried_again_by_dagster_either(shop, instance):
    shop.api.next.append(Reply(b"no", 403))
    result = fetched(shop, instance, raise_on_error=False)
    assert not result.success
    assert len(shop.api.requests) == 1
    assert "403 Forbidden" in str(result.all_events)


def test_the_inventory_of_drops_is_downstream_of_its_sources():
    asset = raw_asset(ORDERS, [source_key("shop")])
    assert asset.asset_deps[raw_key("orders")] == {source_key("shop")}


def test_a_schedule_is_the_declared_one_on_or_off(shop):
    on = source_schedule(shop.source(schedule=Schedule("5 * * * *", "Asia/Manila")))
    off = source_schedule(shop.source(starts_running=False))
    assert (on.cron_schedule, on.execution_timezone) == ("5 * * * *", "Asia/Manila")
    assert on.default_status is dg.DefaultScheduleStatus.RUNNING
    assert off.default_status is dg.DefaultScheduleStatus.STOPPED
    assert source_schedule(shop.source(schedule=None)) is None


@pytest.mark.parametrize(
    ("records", "before", "is_unusual"),
    [(100, None, False), (100, 60, False), (100, 49, True), (40, 100, True), (3, 9, False), (0, 5, True), (5, 0, True)],
)
def test_a_count_is_unusual_where_it_is_far_from_the_last(records, before, is_unusual):
    assert bool(unusual_count(records, before, 2)) is is_unusual


def test_a_source_is_stale_when_no_records_came_for_longer_than_it_says():
    now = datetime.now(UTC)
    assert stale(now - timedelta(days=3), timedelta(days=2))
    assert not stale(now - timedelta(days=1), timedelta(days=2))
    assert not stale(None, timedelta(days=2))
    assert not stale(now - timedelta(days=3), None)


def test_the_files_of_a_report_are_kept_by_the_moment_and_as_the_latest(environment, instance, store):
    community = load_reports("assets")["community"]
    result = dg.materialize([report_asset(community)], instance=instance, resources={"platform": Platform()})
    assert result.success
    kept = sorted(one.key for one in store.list("reports/community"))
    day = f"{datetime.now(UTC):%Y%m%d}"
    assert "reports/community/latest/top_posts.json" in kept
    assert any(f"/users-{day}T" in key and key.endswith("Z.csv") for key in kept)
