"""What retention leaves of Dagster's history: all that the present is read from, on an instance in Postgres."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster import AutomationCondition as When

from benchmarks.retention.simulated import add_day, take_pattern
from lastmile.errors import UserError
from lastmile.operations.retention import history
from lastmile.operations.retention.alone import alone
from lastmile.orchestration.failures import reason
from lastmile.orchestration.instance import write_dagster_yaml
from lastmile.settings.retention import RetentionSettings
from lastmile.warehouse.connections import dagster_url

KEEP = RetentionSettings()
YEARS = dg.StaticPartitionsDefinition(["2018", "2019", "2020"])
SURVEYS, REPORT = dg.AssetKey("surveys"), dg.AssetKey("report")
SOUND = dg.AssetCheckKey(SURVEYS, "sound")
AGED = {
    "runs": ("create_timestamp", "update_timestamp"),
    "event_logs": ("timestamp",),
    "asset_check_executions": ("create_timestamp",),
    "job_ticks": ("timestamp",),
    "asset_daemon_asset_evaluations": ("create_timestamp",),
}


@dg.asset(partitions_def=YEARS, check_specs=[dg.AssetCheckSpec("sound", asset=SURVEYS)], code_version="1")
def surveys(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    if "fails" in context.run.tags:
        raise ValueError("a wrong year")
    version = dg.DataVersion(context.run.tags.get("version", "1"))
    found = dg.AssetCheckResult(check_name="sound", passed="unsound" not in context.run.tags)
    return dg.MaterializeResult(data_version=version, check_results=[found])


@dg.asset(deps=[surveys], automation_condition=When.eager(), code_version="1")
def report() -> None: ...


DEFINITIONS = dg.Definitions(assets=[surveys, report], executor=dg.in_process_executor)


@pytest.fixture
def instance(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("LASTMILE_DAGSTER_URL", dagster_url(database_url))
    monkeypatch.setenv("LASTMILE_DAGSTER_STORAGE", str(tmp_path / "storage"))
    write_dagster_yaml("single", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def age(connection: psycopg.Connection) -> Callable[..., None]:
    """Makes all history there is so many days older."""

    def age(days: int) -> None:
        for table, columns in AGED.items():
            changes = ", ".join(f"{one} = {one} - interval '{days} days'" for one in columns)
            connection.execute(f"UPDATE dagster.{table} SET {changes}".encode())

    return age


def make(instance: dg.DagsterInstance, year: str | None, **tags: str) -> str:
    asset = surveys if year else report
    made = dg.materialize(
        [surveys, report], selection=[asset], instance=instance, partition_key=year, tags=tags, raise_on_error=False
    )
    return made.run_id


def rows(connection: psycopg.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM dagster.{table}".encode()).fetchall()[0][0])


def seen(instance: dg.DagsterInstance) -> dict[str, object]:
    """What pages, automation and backfills read of the present."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver
    from dagster._core.loader import LoadingContextForTest
    from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

    graph = DEFINITIONS.resolve_asset_graph()
    stale = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    for key in (SURVEYS, REPORT):  # as after a change of the partitions: from the events alone
        instance.event_log_storage.wipe_asset_cached_status(key)
    status = get_and_update_asset_status_cache_value(instance, SURVEYS, YEARS)
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key([SOUND])
    records = {key: instance.get_latest_materialization_event(key) for key in (SURVEYS, REPORT)}
    return {
        "made": sorted(instance.get_materialized_partitions(SURVEYS)),
        "failed": sorted(status.deserialize_failed_partition_subsets(YEARS).get_partition_keys()),
        "newest": {key: (event.run_id, event.timestamp) for key, event in records.items() if event},
        "runs of the newest": {instance.get_run_by_id(event.run_id).status for event in records.values() if event},
        "versions": {
            year: instance.get_latest_data_version_record(SURVEYS, partition_key=year).event_log_entry.dagster_event
            for year in status.deserialize_materialized_partition_subsets(YEARS).get_partition_keys()
        },
        "stale": {key: stale.get_status(key) for key in (REPORT,)},
        "check": {key: (record.status, record.run_id) for key, record in checks.items()},
    }


def test_what_is_seen_of_assets_partitions_and_checks_is_the_same_after_a_clean_up(instance, connection, age):
    for year, version in (("2018", "1"), ("2019", "1"), ("2018", "2"), ("2019", "2")):
        make(instance, year, version=version)
    make(instance, "2020", fails="yes")
    make(instance, "2019", version="4", unsound="yes")
    make(instance, None)
    make(instance, None)
    age(60)
    before, events, runs = seen(instance), rows(connection, "event_logs"), rows(connection, "runs")
    expected = history.survey(connection, KEEP)
    gone = history.clean(connection, KEEP)
    assert seen(instance) == before
    assert before["made"] == ["2018", "2019"]
    assert before["failed"] == ["2020"]
    assert rows(connection, "runs") == runs - gone["runs"] == 4  # of 2018, 2019, what failed, the report
    assert rows(connection, "event_logs") == events - gone["events"] < events / 2
    assert gone["results of checks"] == expected["results of checks"] == 5  # of six
    assert 0 < expected["events"] <= gone["events"]


def test_automation_requests_nothing_anew_after_a_clean_up(instance, connection, age):
    for year in YEARS.get_partition_keys():
        make(instance, year)
    make(instance, None)
    first = dg.evaluate_automation_conditions(DEFINITIONS, instance)
    make(instance, "2019", version="2")
    second = dg.evaluate_automation_conditions(DEFINITIONS, instance, cursor=first.cursor)
    assert (first.total_requested, second.total_requested) == (0, 1)
    make(instance, None)
    third = dg.evaluate_automation_conditions(DEFINITIONS, instance, cursor=second.cursor)
    age(60)
    assert history.clean(connection, KEEP)["runs"] == 2
    again = dg.evaluate_automation_conditions(DEFINITIONS, instance, cursor=third.cursor)
    anew = dg.evaluate_automation_conditions(DEFINITIONS, instance)
    assert (third.total_requested, again.total_requested, anew.total_requested) == (0, 0, 0)
    make(instance, "2018", version="3")
    assert dg.evaluate_automation_conditions(DEFINITIONS, instance, cursor=again.cursor).total_requested == 1


def test_why_a_run_failed_that_was_never_made_good_is_still_known(instance, connection, age):
    failed = make(instance, "2020", fails="yes")
    age(400)
    assert history.clean(connection, KEEP)["events"] > 0
    assert "a wrong year" in reason(instance, failed)


def test_what_is_recent_or_under_way_stays_whole(instance, connection, age):
    make(instance, "2018")
    age(60)
    connection.execute("UPDATE dagster.runs SET status = 'STARTED'")
    make(instance, "2018")
    make(instance, "2018")
    before = rows(connection, "event_logs"), rows(connection, "runs"), rows(connection, "asset_event_tags")
    history.clean(connection, KEEP)
    assert (rows(connection, "event_logs"), rows(connection, "runs"), rows(connection, "asset_event_tags")) == before


def test_of_each_sensor_the_newest_tick_stays_and_skipped_ones_go_first(instance, connection):
    for selector, status, days in (
        ("a", "SKIPPED", 40), ("a", "SKIPPED", 3), ("a", "SUCCESS", 3), ("a", "SKIPPED", 1), ("b", "FAILURE", 90),
    ):  # fmt: skip
        connection.execute(
            "INSERT INTO dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)"
            " VALUES (%s, %s, %s, 'SENSOR', now() - %s * interval '1 day', '{}')",
            [selector, selector, status, days],
        )
    assert history.survey(connection, KEEP)["ticks"] == 2
    assert history.clean(connection, KEEP)["ticks"] == 2
    left = connection.execute("SELECT selector_id, status FROM dagster.job_ticks ORDER BY id").fetchall()
    assert left == [("a", "SUCCESS"), ("a", "SKIPPED"), ("b", "FAILURE")]


def test_snapshots_of_jobs_go_with_their_last_run_and_what_runs_name_stays(instance, connection, age):
    run = make(instance, "2018")
    make(instance, None)
    snapshots = rows(connection, "snapshots")
    connection.execute("DELETE FROM dagster.event_logs WHERE run_id = %s", [run])
    connection.execute("DELETE FROM dagster.asset_check_executions WHERE run_id = %s", [run])
    age(60)
    gone = history.clean(connection, KEEP)
    assert gone["runs"] == 1
    assert rows(connection, "snapshots") == snapshots - gone["snapshots"] < snapshots
    (left,) = instance.get_runs()
    assert instance.get_job_snapshot(left.job_snapshot_id)
    assert instance.get_execution_plan_snapshot(left.execution_plan_snapshot_id)


def test_the_database_grows_to_a_size_and_stays_there(instance, connection):
    """A short one of the year in benchmarks/retention: the rows of a real run, 20 times a day, for a month."""
    make(instance, "2018")
    connection.execute(
        "INSERT INTO dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)"
        " SELECT 'a', 'a', status, 'SENSOR', now(), repeat('x', 700) FROM unnest('{SKIPPED,SUCCESS}'::text[]) AS status"
    )
    take_pattern(connection, 0)
    keep, now, sizes = replace(KEEP, runs=5), datetime.now(UTC).replace(tzinfo=None), []
    for day in range(1, 31):
        add_day(connection, now + timedelta(days=day), 20, 500)
        history.clean(connection, keep, now=now + timedelta(days=day + 1))
        size = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'dagster'::regnamespace"
        sizes.append(int(connection.execute(f"{size} AND relkind = 'r'".encode()).fetchall()[0][0]))
    assert sizes[-1] < 1.25 * sizes[12], sizes  # what was made by partition stays: a little of each day
    assert sizes[12] > 1.1 * sizes[2]


def test_a_second_clean_up_at_once_is_refused(instance, connection, database_url):
    other = psycopg.connect(database_url, autocommit=True)
    with other, alone(other), pytest.raises(UserError, match="another clean-up is under way"):
        history.clean(connection, KEEP)
    assert history.clean(connection, KEEP)["snapshots"] == 0


def test_where_dagster_keeps_its_history_elsewhere_nothing_is_done(connection):
    assert history.survey(connection, KEEP) == history.clean(connection, KEEP) == {}
