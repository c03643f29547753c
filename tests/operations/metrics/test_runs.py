"""Runs, steps and ticks: each that ends is counted once, whichever process ran it, and how it stands now is shown."""

import json
import time

import dagster as dg
import pytest
from dagster_private import create_run_for_test

JOB = {"job_name": "assets", "by": "landing"}


ENDED = "UPDATE runs SET start_time = %s, end_time = %s, update_timestamp = now() AT TIME ZONE 'UTC' WHERE run_id = %s"
SENSOR = """
INSERT INTO dagster.instigators (selector_id, repository_selector_id, status, instigator_type, instigator_body)
VALUES ('landing', 'r', 'RUNNING', 'SENSOR', '{}')
"""


def ended(instance, state=dg.DagsterRunStatus.SUCCESS, seconds=3.0, tag="dagster/sensor_name", value="landing"):
    """A run of assets that was requested, started and has ended now, as Dagster's tables have it."""
    run = create_run_for_test(instance, status=state, job_name="__ASSET_JOB", tags={tag: value})
    with instance.run_storage.connect() as connection:
        connection.exec_driver_sql(ENDED, (time.time() - seconds, time.time(), run.run_id))


def test_runs_that_end_are_counted_with_their_time_and_what_requested_them(instance, scrape):
    ended(instance, seconds=500)
    scrape()
    ended(instance, seconds=3)
    ended(instance, dg.DagsterRunStatus.FAILURE, seconds=7)
    ended(instance, tag="dagster/backfill", value="b1")
    ended(instance, tag="lastmile/cause", value="a command")
    found = scrape()
    assert found.of("run_seconds_count", state="success", **JOB) == 1
    assert found.of("run_seconds_sum", state="success", **JOB) == pytest.approx(3, abs=0.1)
    assert found.of("run_seconds_count", state="failure", **JOB) == 1
    for by in ("backfill", "person"):
        assert found.of("run_seconds_count", state="success", job_name="assets", by=by) == 1


def test_each_run_is_counted_once_however_often_it_is_looked_at(instance, scrape):
    scrape()
    for number in range(1, 6):
        ended(instance)
        for _ in range(2):
            found = scrape()
        assert found.of("run_seconds_count", state="success", **JOB) == number


def test_the_first_failure_is_an_increase_of_a_series_that_was_there(instance, scrape):
    ended(instance)
    assert scrape().of("run_seconds_count", state="failure", **JOB) == 0


def test_failures_in_a_row_end_with_a_success(instance, scrape):
    seen = []
    for state in ("FAILURE", "FAILURE", "SUCCESS", "FAILURE"):
        ended(instance, dg.DagsterRunStatus(state))
        seen.append(scrape().of("run_failures_in_a_row", **JOB))
    assert seen == [1, 2, 0, 1]


def test_the_age_of_the_oldest_run_in_the_queue_is_shown(instance, scrape, connection):
    create_run_for_test(instance, status=dg.DagsterRunStatus.STARTING)
    connection.execute(
        "UPDATE dagster.runs SET status = 'QUEUED', create_timestamp = now() AT TIME ZONE 'UTC' - interval '1 hour'"
    )
    found = scrape()
    assert found.of("runs", state="queued") == 1
    assert found.of("runs_oldest_seconds", state="queued") == pytest.approx(3600, abs=30)
    assert found.of("runs_oldest_seconds", state="started") == 0


def test_steps_are_counted_by_name_without_what_they_were_mapped_over(instance, scrape):
    @dg.op(out=dg.DynamicOut())
    def parts():
        yield from (dg.DynamicOutput(number, f"part_{number}") for number in range(3))

    @dg.op
    def fails_once(context, part):
        if part == 2:
            raise ValueError(part)

    @dg.job
    def mapped():
        parts().map(fails_once)

    scrape()
    mapped.execute_in_process(instance=instance, raise_on_error=False)
    found = scrape()
    assert found.of("steps_total", step="parts", state="success") == 1
    assert found.of("steps_total", step="fails_once", state="success") == 2
    assert found.of("steps_total", step="fails_once", state="failure") == 1
    assert found.of("step_seconds_count", step="fails_once") == 2
    assert scrape().of("steps_total", step="fails_once", state="failure") == 1


def put_tick(connection, name, state, failures=0):
    body = json.dumps({"job_name": name, "consecutive_failure_count": failures})
    connection.execute(
        "INSERT INTO dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)"
        " VALUES (%s, %s, %s, 'SENSOR', now() AT TIME ZONE 'UTC', %s)",
        [name, name, state, body],
    )


def test_ticks_are_counted_when_they_have_ended_and_failures_in_a_row_are_shown(instance, scrape, connection):
    connection.execute(SENSOR)
    put_tick(connection, "landing", "SKIPPED")
    scrape()
    put_tick(connection, "landing", "STARTED")
    assert scrape().of("ticks_total", name="landing", state="failure") == 0
    connection.execute("UPDATE dagster.job_ticks SET status = 'FAILURE' WHERE status = 'STARTED'")
    put_tick(connection, "landing", "FAILURE", failures=1)
    found = scrape()
    assert found.of("ticks_total", name="landing", state="failure") == 2
    assert found.of("ticks_total", name="landing", state="skipped") == 0
    assert found.of("tick_failures_in_a_row", name="landing") == 2
    assert 0 <= found.of("tick_age_seconds", name="landing") < 60


def test_the_last_sign_of_life_of_each_daemon_is_shown(instance, scrape, connection):
    connection.execute(
        "INSERT INTO dagster.daemon_heartbeats (daemon_type, daemon_id, timestamp, body)"
        " VALUES ('SENSOR', 'x', now() AT TIME ZONE 'UTC' - interval '7 minutes', '{}')"
    )
    assert scrape().of("heartbeat_age_seconds", daemon="sensor") == pytest.approx(420, abs=30)
