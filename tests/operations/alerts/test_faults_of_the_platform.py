"""Each fault that a rule of the platform exists for: exactly one alert, one recovery; also while Postgres is dead."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from alerting import watch, watching, webhook

from lastmile.contracts import Route
from lastmile.embedded.processes import free_port
from lastmile.operations.alerts import book
from lastmile.operations.alerts.delivery import outbox
from lastmile.operations.alerts.published import publish
from lastmile.operations.backup.history import record_archive, record_drill
from lastmile.settings import Settings

ROUTE = Route(channels=("on-call",))
EVENTS = """
    CREATE SCHEMA IF NOT EXISTS dagster;
    CREATE TABLE dagster.event_logs (id bigint GENERATED ALWAYS AS IDENTITY, run_id text, dagster_event_type text,
        timestamp timestamp DEFAULT now(), step_key text);
    CREATE TABLE dagster.runs (id bigint GENERATED ALWAYS AS IDENTITY, run_id text, pipeline_name text, status text,
        update_timestamp timestamp DEFAULT now());
    CREATE TABLE dagster.daemon_heartbeats (daemon_type text, timestamp timestamptz);
    CREATE TABLE dagster.instigators (selector_id text, status text);
    CREATE TABLE dagster.job_ticks (id bigint GENERATED ALWAYS AS IDENTITY, selector_id text, status text,
        timestamp timestamp DEFAULT now(), tick_body text)
"""
GRPC = """
import sys, time, grpc
from concurrent.futures import ThreadPoolExecutor
server = grpc.server(ThreadPoolExecutor(1))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
"""


@pytest.fixture
def hook():
    with webhook() as found:
        yield found


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True) as found:
        publish(found, [], [ROUTE])
        yield found


@pytest.fixture
def here(settings, hook, connection):
    return watch(settings, f"on-call={hook.address}", backlog=3, dead_seconds=60)


@pytest.fixture
def titles(here, hook):
    """What arrived in another ten minutes."""

    def titles():
        before = len(hook.received)
        here.pass_by(10)
        return hook.titles[before:]

    return titles


@contextmanager
def http_server(port):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("what", "rule"), [("api", "api_dead"), ("web_ui", "web_ui_dead")])
def test_a_server_that_ends_is_one_alert_until_it_is_back(here, titles, what, rule):
    port = free_port()
    watching(here, **{what: f"http://127.0.0.1:{port}"})
    with http_server(port):
        assert titles() == []
    ((fired,), nothing) = titles(), titles()
    assert rule in fired
    assert nothing == []
    with http_server(port):
        (over,) = titles()
    assert f"over: {rule}" in over


def test_a_stopped_code_server_that_accepts_connections_is_one_alert_until_it_goes_on(here, titles, monkeypatch):
    monkeypatch.setattr("lastmile.operations.watching.readings.processes._SECONDS", 0.5)
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", GRPC, str(port)])
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        watching(here, code_server=f"127.0.0.1:{port}")
        assert titles() == []
        os.kill(process.pid, signal.SIGSTOP)
        assert titles() == ["[critical] code_server_dead: platform"]
        os.kill(process.pid, signal.SIGCONT)
        assert titles() == ["[critical] over: code_server_dead: platform"]
    finally:
        process.kill()
        process.wait()


def test_what_is_only_starting_is_no_alert(here, hook):
    watching(here, api=f"http://127.0.0.1:{free_port()}")
    here.pass_by(4)
    assert hook.titles == []
    here.pass_by(10)
    assert hook.titles == ["[critical] api_dead: platform"]


def test_a_daemon_without_heartbeats_is_one_alert_until_it_beats_again(connection, titles):
    connection.execute(EVENTS)
    connection.execute("INSERT INTO dagster.daemon_heartbeats VALUES ('SENSOR', now())")
    assert titles() == []
    connection.execute("UPDATE dagster.daemon_heartbeats SET timestamp = now() - interval '10 minutes'")
    assert titles() == ["[critical] daemon_dead: platform"]
    connection.execute("UPDATE dagster.daemon_heartbeats SET timestamp = now()")
    assert titles() == ["[critical] over: daemon_dead: platform"]


def test_an_asset_that_fails_three_times_in_a_row_is_one_alert_until_it_succeeds(connection, titles):
    connection.execute(EVENTS)

    def ran(step, *outcomes):
        for outcome in outcomes:
            connection.execute(
                "INSERT INTO dagster.event_logs (run_id, dagster_event_type, step_key)"
                " VALUES (gen_random_uuid()::text, %s, %s)",
                [outcome, step],
            )

    ran("models__yield", "STEP_FAILURE", "STEP_FAILURE", "STEP_SUCCESS", "STEP_FAILURE", "STEP_FAILURE")
    assert titles() == []
    ran("models__yield", "STEP_FAILURE")
    assert titles() == ["[warning] run_failures: models__yield"]
    ran("models__yield", "STEP_FAILURE")
    assert titles() == []
    ran("models__yield", "STEP_SUCCESS")
    assert titles() == ["[warning] over: run_failures: models__yield"]


def test_a_job_whose_runs_fail_three_times_in_a_row_is_one_alert_until_one_succeeds(connection, titles):
    connection.execute(EVENTS)

    def ran(*statuses):
        for status in statuses:
            connection.execute(
                "INSERT INTO dagster.runs (run_id, pipeline_name, status) VALUES (gen_random_uuid()::text, %s, %s)",
                ["clean", status],
            )

    ran("SUCCESS", "FAILURE", "FAILURE", "FAILURE")
    assert titles() == ["[warning] run_failures: clean"]
    ran("SUCCESS")
    assert titles() == ["[warning] over: run_failures: clean"]


def test_drops_that_wait_are_an_alert_by_number_and_one_by_age(site, connection, titles):
    for number in range(4):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    assert titles() == ["[warning] backlog: visits"]
    site.query("UPDATE ledger.drops SET discovered_at = now() - interval '2 hours' RETURNING id")
    assert titles() == ["[warning] lag: visits"]
    site.take()
    assert sorted(titles()) == ["[warning] over: backlog: visits", "[warning] over: lag: visits"]


def test_what_is_wrong_with_a_migrated_database_is_not_passed_over_as_pending_migrations(connection, here):
    connection.execute("ALTER TABLE operations.backups RENAME COLUMN ended_at TO finished_at")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        here.pass_by(1)


def test_a_backup_that_is_old_is_one_alert_until_the_next_one(connection, titles):
    def backup(name, ended, error=None):
        row = "INSERT INTO operations.backups (id, kind, ended_at, error) VALUES (%s, 'full', now() - %s::interval, %s)"
        connection.execute(row, [name, ended, error])

    assert titles() == []
    backup("old", "3 days")
    backup("failed", "0", "the store is away")
    assert titles() == ["[warning] backup_too_old: platform"]
    backup("new", "0")
    assert titles() == ["[warning] over: backup_too_old: platform"]


def test_a_sensor_that_fails_three_times_in_a_row_is_one_alert_with_the_error_until_a_tick_succeeds(
    connection, hook, titles
):
    connection.execute(EVENTS)
    connection.execute("INSERT INTO dagster.instigators VALUES ('landing', 'DECLARED_IN_CODE')")

    def tick(status, before=0):
        body = {"job_name": "landing", "consecutive_failure_count": before, "error": {"message": "no such column"}}
        connection.execute(
            "INSERT INTO dagster.job_ticks (selector_id, status, tick_body) VALUES ('landing', %s, %s)",
            [status, json.dumps(body)],
        )

    tick("FAILURE", before=1)
    assert titles() == []
    tick("FAILURE", before=2)
    assert titles() == ["[warning] ticks_failing: landing"]
    assert "no such column" in str(hook.received[-1])
    tick("SUCCESS")
    assert titles() == ["[warning] over: ticks_failing: landing"]


def test_a_log_that_is_not_archived_is_one_alert_with_the_reason_until_it_is(connection, hook, titles):
    record_archive(connection, "0/1", None, 0, None)
    assert titles() == []
    connection.execute("UPDATE operations.log_archive SET archived_at = now() - interval '1 hour'")
    record_archive(connection, "0/1", None, 5, "the store of backups is full")
    assert titles() == ["[critical] log_not_archived: platform"]
    assert "the store of backups is full" in str(hook.received[-1])
    record_archive(connection, "0/2", None, 0, None)
    connection.execute("UPDATE operations.log_archive SET archived_at = now() + interval '1 hour'")  # the watcher's now
    assert titles() == ["[critical] over: log_not_archived: platform"]


def test_a_drill_that_failed_is_one_alert_until_one_succeeds(connection, titles):
    def drilled(error=None, faults=()):
        empty = dict.fromkeys(("backup", "target", "recovered_to", "bytes", "objects", "rpo_seconds", "rto_seconds"))
        drill = {**empty, "started_at": datetime.now(UTC), "faults": list(faults), "error": error}
        record_drill(connection, drill)

    drilled()
    assert titles() == []
    drilled(faults=["raw.hhinfo: 3 rows are missing"])
    assert titles() == ["[critical] drill_failed: platform"]
    drilled(error="the key does not decrypt it")
    assert titles() == []
    drilled()
    assert titles() == ["[critical] over: drill_failed: platform"]


def test_a_disk_that_is_nearly_full_is_one_alert_until_there_is_room(here, titles):
    limits = here.watched.limits
    here.watched = replace(here.watched, limits=replace(limits, disk_free=1.0))
    here.restart()
    assert titles() == ["[critical] disk: platform"]
    here.watched = replace(here.watched, limits=replace(limits, disk_free=0.0))
    here.restart()
    assert titles() == ["[critical] over: disk: platform"]


def test_a_store_that_is_gone_is_one_alert_until_it_is_back(here, titles, store, settings, monkeypatch):
    monkeypatch.setattr("lastmile.operations.watching.readings.objects._EVERY_SECONDS", 0)
    folder = settings.home / "store"
    assert titles() == []
    folder.rename(settings.home / "away")
    assert titles() == ["[critical] store_unreachable: platform"]
    (settings.home / "away").rename(folder)
    assert titles() == ["[critical] over: store_unreachable: platform"]


def test_messages_that_do_not_arrive_are_an_alert_on_the_channels_that_work(connection, here, hook):
    publish(connection, [], [Route(rule="disk", channels=("gone",)), ROUTE])
    alerting = replace(here.watched.alerting, channels=f"gone=json://127.0.0.1:9/x on-call={hook.address}")
    limits = replace(here.watched.limits, disk_free=1.0, undelivered_minutes=0)
    here.watched = replace(here.watched, alerting=alerting, limits=limits)
    here.restart()
    here.pass_by(10)
    here.pass_by(10)
    assert hook.titles == ["[warning] undelivered: gone"]


@pytest.fixture
def dead(here, monkeypatch):
    """Calling it kills Postgres, as far as the watcher can see; calling what it returns brings it back."""
    alive = here.watched.settings.given_database_url

    def at(url):
        here.watched = replace(here.watched, settings=replace(here.watched.settings, given_database_url=url))
        here.watcher._watched = here.watched

    def kill():
        at(f"postgresql://u:p@127.0.0.1:{free_port()}/x")
        return lambda: at(alive)

    return kill


def test_a_dead_postgres_is_one_alert_and_one_recovery_which_postgres_knows_afterwards(
    here, hook, titles, dead, connection
):
    assert titles() == []
    back = dead()
    assert titles() == ["[critical] database_dead: platform"]
    assert titles() == []
    back()
    assert titles() == ["[critical] over: database_dead: platform"]
    assert [row["event"] for row in book.history(connection, 10)] == ["recovered", "firing"]
    assert {row["delivered"] for row in outbox.messages(connection, 10)} == {1}


def test_a_watcher_that_is_killed_while_postgres_is_dead_goes_on_where_it_was(here, hook, titles, dead):
    assert titles() == []
    back = dead()
    assert titles() == ["[critical] database_dead: platform"]
    here.restart()
    assert titles() == []
    back()
    here.restart()
    assert titles() == ["[critical] over: database_dead: platform"]


def test_a_message_that_could_not_be_sent_while_postgres_was_dead_arrives_afterwards_once(here, hook, titles, dead):
    assert titles() == []
    back, hook.status = dead(), 500
    here.pass_by(10)
    assert hook.titles == []
    back()
    hook.status = 200
    here.pass_by(30)
    assert hook.titles == ["[critical] database_dead: platform", "[critical] over: database_dead: platform"]


def test_alerts_of_datasets_stay_as_they_are_while_postgres_is_dead(site, here, hook, titles, dead, connection):
    from alerting import declare

    declare(site.database_url, site.contract, ROUTE)
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    assert titles() == ["[warning] bad_share: visits 2020"]
    back = dead()
    assert titles() == ["[critical] database_dead: platform"]
    back()
    assert titles() == ["[critical] over: database_dead: platform"]


def test_a_database_without_tables_is_waited_for(settings: Settings, hook, empty_database_url):
    here = watch(replace(settings, given_database_url=empty_database_url), f"on-call={hook.address}")
    here.pass_by(10)
    assert hook.titles == []
    assert any("not migrated yet" in line for line in here.said)
