"""Streams report to Dagster without a run, and a backfill of a window's days replays them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest
from declaring import changed
from kafka_broker import RunningBroker
from streamed import BY_MINUTE, RUSHES, SALES, START, Shop, sale

from lastmile.orchestration.resources import Platform
from lastmile.orchestration.streams.assets import stream_assets, stream_key, window_key
from lastmile.orchestration.streams.reporting import stream_sensor
from lastmile.store import Store
from lastmile.streaming import start
from lastmile.streaming.status import statuses
from lastmile.streaming.verdicts import verdicts

WINDOW = window_key("sales_by_minute")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def shop(kafka: RunningBroker, settings: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(kafka, settings.given_database_url, store, contract=changed(SALES, quiet_period=timedelta(0)))
    made.stream = replace(made.stream, lands=True, windows=(BY_MINUTE, RUSHES))
    monkeypatch.setattr(start, "declared", lambda settings, name: (made.stream, made.contract))
    return made


@pytest.fixture
def report(shop: Shop, instance: dg.DagsterInstance) -> Callable[[], str]:
    """One tick of the sensor; what it says."""
    sensor = stream_sensor({"sales": shop.stream}, {"sales": shop.contract})
    cursors = [""]

    def tick() -> str:
        with dg.build_sensor_context(
            instance=instance, cursor=cursors[-1] or None, resources={"platform": Platform()}
        ) as context:
            result = sensor.evaluate_tick(context)
        cursors.append(result.cursor or "")
        assert result.run_requests in (None, [])
        return result.skip_message or ""

    return tick


def metadata(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(key)
    found = event.asset_materialization.metadata if event and event.asset_materialization else {}
    return {name: value.value for name, value in found.items()}


def test_what_was_committed_is_reported_once_and_by_no_run(
    shop: Shop, instance: dg.DagsterInstance, report: Callable[[], str]
) -> None:
    shop.send(*(sale(number, number) for number in range(300)), sale(1, 0))
    shop.read()
    report()
    found = metadata(instance, stream_key("sales"))
    assert (found["events"], found["events since"], found["lag"], found["late"]) == (300, 300, 0, 1)
    assert found["watermark"] == "2026-03-01 08:03:59+00:00"
    assert report() == "no stream has committed anything since"
    shop.send(sale(301, 301))
    shop.read()
    report()
    assert metadata(instance, stream_key("sales"))["events since"] == 1
    assert instance.get_runs_count() == 0


def test_a_day_of_a_window_is_reported_once_it_is_final(
    shop: Shop, instance: dg.DagsterInstance, report: Callable[[], str]
) -> None:
    day = 86_400
    shop.send(sale(1, 0), sale(2, 60), sale(3, day), sale(4, 2 * day))
    shop.read()
    report()
    assert instance.get_materialized_partitions(WINDOW) == {"2026-03-01", "2026-03-02"}
    shop.send(sale(5, 3 * day))
    shop.read()
    report()
    assert instance.get_materialized_partitions(WINDOW) == {"2026-03-01", "2026-03-02", "2026-03-03"}
    records = instance.fetch_materializations(WINDOW, limit=100).records
    assert len(records) == 3


def test_a_backfill_of_days_replays_them(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.send(*(sale(number, number * 3_600) for number in range(72)))
    shop.read()
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        connection.execute("UPDATE windows.sales_by_minute SET sales = 99")
    defs = dg.Definitions(
        assets=stream_assets(shop.stream, {"sales": shop.contract}), resources={"platform": Platform()}
    )
    job = defs.resolve_implicit_global_asset_job_def()
    tags = {
        "dagster/asset_partition_range_start": "2026-03-01",
        "dagster/asset_partition_range_end": "2026-03-02",
    }
    assert job.execute_in_process(instance=instance, asset_selection=[WINDOW], tags=tags).success
    found = shop.rows(
        "SELECT window_start::date::text AS day, max(sales) AS most FROM windows.sales_by_minute GROUP BY 1"
    )
    wrong = {row["day"] for row in found if row["most"] == 99}
    assert wrong == {"2026-03-03", "2026-03-04"}
    assert instance.get_materialized_partitions(WINDOW) >= {"2026-03-01", "2026-03-02"}


def test_messages_that_wait_and_nobody_reads_fail_the_check_of_lag(
    shop: Shop, instance: dg.DagsterInstance, report: Callable[[], str]
) -> None:
    shop.send(sale(1))
    shop.read()
    report()
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        connection.execute("UPDATE streams.positions SET end_offset = 9")
    report()
    (status,) = statuses(psycopg.connect(shop.database_url))
    lag, freshness = verdicts(status, "sales", timedelta(hours=1), now=START + timedelta(hours=2))
    assert (lag.passed, freshness.passed) == (False, False)
    assert "8 messages wait and no process reads it" in lag.said
    (check,) = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(stream_key("sales"), "lag")]
    ).values()
    assert check.event.dagster_event.asset_check_evaluation_data.passed is False
    assert datetime.now(UTC) > START


def test_the_windows_are_tables_of_a_dbt_source_with_the_assets_key() -> None:
    import yaml
    from streamed import STREAM

    from lastmile.streaming.dbt_sources import window_sources
    from lastmile.warehouse.dbt.sources import sources_yaml

    tables = window_sources({"sales": STREAM}, {"sales": SALES})
    _, source = yaml.safe_load(sources_yaml({"sales": SALES}, brought={"windows": tables}))["sources"]
    (table,) = source["tables"]
    assert (source["name"], source["schema"], table["name"]) == ("windows", "windows", BY_MINUTE.name)
    assert table["config"]["meta"]["dagster"]["asset_key"] == WINDOW.path
    types = {column["name"]: column["data_type"] for column in table["columns"]}
    assert types["shop"] == "text"
    assert types["cents"] == "numeric"
    assert types["window_start"] == "timestamp with time zone"
